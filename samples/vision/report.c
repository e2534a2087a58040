/* --report: the page as a whole. It is written picture by picture; what needs all of them comes last, and stands first
 * by its style. */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"
#include "program/text.h"

/* Characters that are shown of a name, and of a path. */
#define NAME_LENGTH 200u
#define PATH_LENGTH 1000u

/* A line of the index. */
typedef struct entry {
    const char *path;
    uint32_t answer;
    double probability;
    bool read, answered;
} entry;

struct report {
    const classify_session *session;
    page page;
    uint8_t *pixels;        /* [image_size, image_size, 3] */
    uint32_t *cells, *patches;
    float *gaps;
    entry *entries;
    uint32_t count, capacity, read;
    uint64_t smallest, largest; /* bytes of a picture that was read */
    routing_totals totals[VISION_MAX_DEPTH];
};

static float eps_of(const report *r, uint32_t block)
{
    const float eps = r->session->options->eps;
    return isnan(eps) ? r->session->model->blocks[block].params.eps : eps;
}

static bool is_smooth(const report *r)
{
    bool smooth = false;
    for (uint32_t b = 0; b < r->session->model->depth; b++)
        smooth = smooth || (r->session->model->blocks[b].experts && eps_of(r, b) > 0);
    return smooth;
}

static void report_free(report *r)
{
    free(r->pixels);
    free(r->cells);
    free(r->patches);
    free(r->gaps);
    free(r->entries);
    free(r);
}

bool report_begin(const classify_session *session, uint32_t count, report **out)
{
    const vision_model *model = session->model;
    const size_t side = model->image_size, patches = (size_t)model->grid * model->grid;
    uint32_t experts = 1;
    *out = NULL;
    report *r = calloc(1, sizeof *r);
    if (!r)
        return vision_fail("out of memory");
    for (uint32_t b = 0; b < model->depth; b++)
        experts = model->blocks[b].plan.expert_count > experts ? model->blocks[b].plan.expert_count : experts;
    r->session = session;
    r->capacity = count;
    r->pixels = malloc(3 * side * side);
    r->cells = malloc(patches * sizeof *r->cells);
    r->gaps = malloc(patches * sizeof *r->gaps);
    r->patches = malloc(experts * sizeof *r->patches);
    r->entries = malloc(count * sizeof *r->entries);
    const bool ready = r->pixels && r->cells && r->gaps && r->patches && r->entries;
    if ((!ready && !vision_fail("out of memory")) || !page_open(&r->page, session->options->report)) {
        report_free(r);
        return false;
    }
    report_write_head(&r->page);
    if (model->expert_block_count)
        report_write_legend(&r->page, is_smooth(r));
    *out = r;
    return true;
}

/* ---- a picture --------------------------------------------------------------------------------------------------- */

/* What the model saw, by undoing the normalisation. */
static void restore_pixels(const report *r, const float *input)
{
    const vision_model *model = r->session->model;
    const size_t pixels = (size_t)model->image_size * model->image_size;
    for (size_t i = 0; i < 3 * pixels; i++) {
        const size_t c = i % 3;
        const double value =
            ((double)input[c * pixels + i / 3] * (double)model->std[c] + (double)model->mean[c]) * 255 + 0.5;
        r->pixels[i] = (uint8_t)(value > 0 ? value < 255 ? value : 255 : 0);
    }
}

static void write_class(report *r, uint32_t index, uint32_t most)
{
    char digits[16];
    if (!r->session->model->classes)
        page_put(&r->page, "class ");
    page_text(&r->page, vision_class_name(r->session->model, index, digits), most);
}

static void write_answer(report *r, const float *logits, entry *e)
{
    const vision_model *model = r->session->model;
    const uint32_t count = model->class_count < CLASSIFY_BEST ? model->class_count : CLASSIFY_BEST;
    uint32_t best[CLASSIFY_BEST];
    double probability[CLASSIFY_BEST];
    classify_rank(logits, model->class_count, count, best, probability);
    e->answered = isfinite(probability[0]);
    e->answer = best[0];
    e->probability = probability[0];
    if (!e->answered) {
        page_put(&r->page, "<p class=w>the model gave no finite answer</p>");
        return;
    }
    page_put(&r->page, "<ol>");
    for (uint32_t i = 0; i < count; i++) {
        page_put(&r->page, "<li><bdi>");
        write_class(r, best[i], NAME_LENGTH);
        page_put(&r->page, "</bdi> <b>%.2f %%</b><i style=\"width:%.2f%%\"></i></li>", 100 * probability[i],
                 100 * probability[i]);
    }
    page_put(&r->page, "</ol>");
}

static void write_picture(report *r, const classify_result *result, entry *e)
{
    const vision_model *model = r->session->model;
    page *p = &r->page;
    restore_pixels(r, result->input);
    page_put(p, "%u × %u pixels; the model sees %u × %u</p>", result->width, result->height, model->image_size,
             model->image_size);
    page_put(p, "<div class=a><svg class=m viewBox=\"0 0 %u %u\"><image id=p%u %swidth=%u height=%u href=\"",
             model->grid, model->grid, r->count, model->image_size <= REPORT_CRISP ? "class=k " : "", model->grid,
             model->grid);
    page_picture(p, r->pixels, model->image_size);
    page_put(p, "\"/></svg>");
    write_answer(r, result->logits, e);
    page_put(p, "</div><div class=r>");
    for (uint32_t b = 0; b < model->depth; b++) {
        uint32_t stride;
        const uint32_t *records = vision_engine_report(r->session->engine, 0, b, &stride).mapped;
        if (!records)
            continue;
        const smoe_plan_desc *plan = &model->blocks[b].plan;
        const routing block = {.page = p, .picture = r->count, .block = b, .grid = model->grid,
                               .expert_count = plan->expert_count, .k = plan->top_k,
                               .max_active = (stride - SMOE_REPORT_IDS) / 2, .eps = eps_of(r, b),
                               .records = records + (size_t)result->place * model->tokens * stride, .stride = stride,
                               .cells = r->cells, .gaps = r->gaps, .patches = r->patches};
        routing_write(&block, &r->totals[b]);
    }
    page_put(p, "</div>");
}

bool report_add(report *r, const char *path, const classify_result *result)
{
    if (!r || r->count == r->capacity)
        return true;
    const uint64_t before = r->page.size;
    entry *e = &r->entries[r->count];
    *e = (entry){.path = path, .read = result->logits != NULL};
    page_put(&r->page, "<article id=i%u><h2><bdi>", r->count);
    page_text(&r->page, path_name(path), NAME_LENGTH);
    page_put(&r->page, "</bdi></h2><p class=d>");
    if (path_name(path) != path) {
        page_put(&r->page, "<bdi>");
        page_text(&r->page, path, PATH_LENGTH);
        page_put(&r->page, "</bdi>%s", e->read ? ": " : "");
    }
    if (e->read) {
        write_picture(r, result, e);
    } else {
        page_put(&r->page, "</p><p class=w>This file ");
        page_text(&r->page, result->reason, NAME_LENGTH);
        page_put(&r->page, "</p>");
    }
    page_put(&r->page, "</article>\n");
    const uint64_t size = r->page.size - before;
    if (e->read) {
        r->smallest = r->read == 0 || size < r->smallest ? size : r->smallest;
        r->largest = size > r->largest ? size : r->largest;
        r->read++;
    }
    r->count++;
    return page_good(&r->page);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void write_totals(report *r)
{
    const vision_model *model = r->session->model;
    page *p = &r->page;
    page_put(p,
             "<div class=t><table><tr><th>block<th>experts<th>k<th>eps<th>mean active<th>with extra<th>gap &lt; "
             "%g<th>order &gt; 0"
             "<th>not finite</tr>",
             (double)REPORT_NEAR);
    for (uint32_t b = 0; b < model->depth; b++) {
        const routing_totals *t = &r->totals[b];
        const double share = t->tokens ? 100.0 / (double)t->tokens : 0;
        if (t->tokens)
            page_put(p, "<tr><td>%u<td>%u<td>%u<td>%.4g<td>%.4f<td>%.1f %%<td>%.2f %%<td>%.2f %%<td>%.1f %%</tr>", b,
                     model->blocks[b].plan.expert_count, model->blocks[b].plan.top_k, (double)eps_of(r, b),
                     (double)t->active / (double)t->tokens, (double)t->extended * share, (double)t->near * share,
                     (double)t->tied * share, (double)t->nonfinite * share);
    }
    page_put(p, "</table><p class=d>of all tokens of all pictures, class tokens too</p></div>");
}

/* The name with its folder: names alone are often the same. */
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
            write_class(r, e->answer, 40);
        else
            page_put(p, "<b class=w>%s</b>", e->read ? "no finite answer" : "not read");
        page_put(p, "</bdi>");
        if (e->answered)
            page_put(p, " %.0f %%", 100 * e->probability);
        page_put(p, "<small><bdi>");
        page_text(p, last_two(e->path), 60);
        page_put(p, "</bdi></small></span></a>\n");
    }
    page_put(p, "</nav>");
}

static void write_top(report *r, bool complete)
{
    const vision_model *model = r->session->model;
    const classify_options *options = r->session->options;
    page *p = &r->page;
    page_put(p, "<div class=top><p>%u picture%s", r->count, r->count == 1 ? "" : "s");
    if (r->count > r->read)
        page_put(p, ", <b class=w>%u could not be read</b>", r->count - r->read);
    page_put(p, ". Model <bdi>");
    page_text(p, path_name(model->path), NAME_LENGTH);
    page_put(p, "</bdi>, device <bdi>");
    page_text(p, smoe_context_device_info(smoe_device_context(r->session->device))->name, NAME_LENGTH);
    page_put(p, "</bdi>");
    if (options->weights >= 0)
        page_put(p, ", weights %s", smoe_type_short_name((smoe_type)options->weights));
    if (!isnan(options->eps))
        page_put(p, ", eps %.4g in place of the model's", (double)options->eps);
    page_put(p, ".%s</p>", model->expert_block_count ? "" : " No block of this model has experts.");
    if (r->read && model->expert_block_count)
        write_totals(r);
    if (r->count > 1)
        write_index(r);
    page_put(p, "</div>\n");
    report_write_script(p);
    if (complete)
        page_put(p, "<style>#partial{display:none}</style>\n");
}

bool report_end(report *r, bool complete)
{
    if (!r)
        return true;
    write_top(r, complete);
    const bool closed = page_close(&r->page);
    if (closed && complete) {
        program_print(program_text(), r->page.path);
        program_printf(": %u picture%s, %.1f kB", r->count, r->count == 1 ? "" : "s", (double)r->page.size / 1000);
        if (r->read)
            program_printf(", %.1f to %.1f kB for each", (double)r->smallest / 1000, (double)r->largest / 1000);
        program_printf("\n");
    }
    report_free(r);
    return closed;
}
