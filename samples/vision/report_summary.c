/* What the report says of all pictures together. It needs them all and so is written last; by its style most of it
 * stands first. */
#include "report_internal.h"

#include <math.h>

float report_eps(const report *r, uint32_t block)
{
    const float eps = r->session->options->eps;
    return isnan(eps) ? r->session->model->blocks[block].params.eps : eps;
}

void report_write_class(report *r, uint32_t index, uint32_t most)
{
    char digits[16];
    if (!r->session->model->classes)
        page_put(&r->page, "class ");
    page_text(&r->page, vision_class_name(r->session->model, index, digits), most);
}

/* Each cell says what it is, for pages too narrow for the table's head. */
static void write_totals_row(report *r, uint32_t block)
{
    const vision_model *model = r->session->model;
    const routing_totals *t = &r->totals[block];
    const smoe_plan_desc *plan = &model->blocks[block].plan;
    const double share = t->tokens ? 100.0 / (double)t->tokens : 0;
    if (!t->tokens)
        return;
    page_put(&r->page,
             "<tr><td data-n=block>%u<td data-n=experts>%u<td data-n=k>%u<td data-n=eps>%.4g"
             "<td data-n=\"mean active\">%.4f<td data-n=\"with extra\">%.1f %%<td data-n=\"gap &lt; %g\">%.2f %%"
             "<td data-n=\"order &gt; 0\">%.2f %%<td data-n=\"not finite\">%.1f %%</tr>",
             block, plan->expert_count, plan->top_k, (double)report_eps(r, block),
             (double)t->active / (double)t->tokens, (double)t->extended * share, (double)REPORT_NEAR,
             (double)t->near * share, (double)t->tied * share, (double)t->nonfinite * share);
}

/* After the pictures: who reads the page wants answers first. */
static void write_totals(report *r)
{
    page *p = &r->page;
    page_put(p,
             "<div class=t><h2>Over all pictures</h2><table><tr><th>block<th>experts<th>k<th>eps<th>mean active"
             "<th>with extra<th>gap &lt; %g<th>order &gt; 0<th>not finite</tr>",
             (double)REPORT_NEAR);
    for (uint32_t b = 0; b < r->session->model->depth; b++)
        write_totals_row(r, b);
    page_put(p, "</table><p class=d>of all tokens, class tokens too</p></div>\n");
}

/* The name with its folder: names without are often the same. */
static const char *last_two(const char *path)
{
    const char *at = path_name(path);
    for (at -= at > path; at > path && !program_is_slash(at[-1]); at--)
        continue;
    return at;
}

static void write_index(report *r)
{
    const vision_model *model = r->session->model;
    page *p = &r->page;
    page_put(p, "<nav>");
    for (uint32_t i = 0; i < r->count; i++) {
        const entry *e = &r->entries[i];
        page_put(p, "<a href=#i%u>", i);
        if (e->read)
            page_put(p, "<svg viewBox=\"0 0 %u %u\"><use href=#p%u /></svg>", model->grid, model->grid, i);
        page_put(p, "<span><bdi>");
        if (e->answered)
            report_write_class(r, e->answer, 40);
        else
            page_put(p, "<b class=w>%s</b>", e->read ? "no finite answer" : "not read");
        page_put(p, "</bdi>");
        if (e->answered)
            page_put(p, " %.0f %%%s", 100 * e->probability, e->unsure ? " <b class=u>unsure</b>" : "");
        page_put(p, "<small><bdi>");
        page_text(p, last_two(e->path), 60);
        page_put(p, "</bdi></small></span></a>\n");
    }
    page_put(p, "</nav>");
}

static void write_known(report *r)
{
    const vision_model *model = r->session->model;
    const uint32_t count = model->class_count;
    page *p = &r->page;
    page_put(p, " It knows %u class%s", count, count == 1 ? "" : "es");
    for (uint32_t c = 0; model->classes && c < count && c < CLASSIFY_LISTED; c++) {
        page_put(p, c ? ", <bdi>" : ": <bdi>");
        report_write_class(r, c, 40);
        page_put(p, "</bdi>");
    }
    if (model->classes && count > CLASSIFY_LISTED)
        page_put(p, " and %u more", count - CLASSIFY_LISTED);
    page_put(p, model->calibrated ? "." : "; its probabilities are not calibrated.");
}

static void write_top(report *r, bool complete)
{
    const vision_model *model = r->session->model;
    const classify_options *options = r->session->options;
    page *p = &r->page;
    page_put(p, "<div class=top><p>%u picture%s", r->count, r->count == 1 ? "" : "s");
    if (r->count > r->read)
        page_put(p, ", <b class=w>%u could not be read</b>", r->count - r->read);
    if (r->unsure)
        page_put(p, ", <b class=u>%u unsure</b>", r->unsure);
    page_put(p, ". Model <bdi>");
    page_text(p, path_name(model->path), REPORT_NAME_LENGTH);
    page_put(p, "</bdi>, device <bdi>");
    page_text(p, smoe_context_device_info(smoe_device_context(r->session->device))->name, REPORT_NAME_LENGTH);
    page_put(p, "</bdi>");
    if (options->weights >= 0)
        page_put(p, ", weights %s", smoe_type_short_name((smoe_type)options->weights));
    if (!isnan(options->eps))
        page_put(p, ", eps %.4g in place of the model's", (double)options->eps);
    page_put(p, ".%s", model->expert_block_count ? "" : " No block of this model has experts.");
    write_known(r);
    page_put(p, "</p>");
    if (r->count > 1)
        write_index(r);
    page_put(p, "</div>\n");
    report_write_script(p);
    if (complete)
        page_put(p, "<style>#partial{display:none}</style>\n");
}

void report_write_summary(report *r, bool complete)
{
    if (r->read && r->session->model->expert_block_count)
        write_totals(r);
    write_top(r, complete);
}
