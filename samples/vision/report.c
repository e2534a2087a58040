/* --report: the page, written picture by picture. */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"
#include "program/text.h"

/* Characters that are shown of a path. */
#define PATH_LENGTH 1000u

static bool is_smooth(const report *r)
{
    bool smooth = false;
    for (uint32_t b = 0; b < r->session->model->depth; b++)
        smooth = smooth || (r->session->model->blocks[b].experts && report_eps(r, b) > 0);
    return smooth;
}

static void report_free(report *r)
{
    free(r->seen.pixels);
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
    r->seen = (image){model->image_size, model->image_size, malloc(3 * side * side)};
    r->cells = malloc(patches * sizeof *r->cells);
    r->gaps = malloc(patches * sizeof *r->gaps);
    r->patches = malloc(experts * sizeof *r->patches);
    r->entries = malloc(count * sizeof *r->entries);
    const bool ready = r->seen.pixels && r->cells && r->gaps && r->patches && r->entries;
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
        r->seen.pixels[i] = (uint8_t)(value > 0 ? value < 255 ? value : 255 : 0);
    }
}

static void write_answer(report *r, const float *logits, entry *e)
{
    const vision_model *model = r->session->model;
    const uint32_t count = model->class_count < CLASSIFY_BEST ? model->class_count : CLASSIFY_BEST;
    uint32_t best[CLASSIFY_BEST];
    double probability[CLASSIFY_BEST];
    classify_rank(model, logits, count, best, probability);
    e->answered = isfinite(probability[0]);
    e->answer = best[0];
    e->probability = probability[0];
    e->unsure = classify_is_unsure(model, probability[0]);
    r->unsure += e->unsure;
    if (!e->answered) {
        page_put(&r->page, "<p class=w>the model gave no finite answer</p>");
        return;
    }
    if (e->unsure) {
        char text[CLASSIFY_UNSURE_SIZE];
        classify_say_unsure(model, text);
        page_put(&r->page, "<p class=u>%s</p>", text);
    }
    page_put(&r->page, "<ol>");
    for (uint32_t i = 0; i < count; i++) {
        page_put(&r->page, "<li><bdi>");
        report_write_class(r, best[i], REPORT_NAME_LENGTH);
        page_put(&r->page, "</bdi> <b>%.2f %%</b><i style=\"width:%.2f%%\"></i></li>", 100 * probability[i],
                 100 * probability[i]);
    }
    page_put(&r->page, "</ol>");
}

/* The picture, unless the model sees every pixel of it as it is; beside it what the model sees. */
static void write_pictures(report *r, const classify_result *result)
{
    const image *original = &result->original, *seen = &r->seen;
    page *p = &r->page;
    const bool whole = result->width == original->width && result->height == original->height; /* not shrunk */
    const bool same = whole && original->width == seen->width && original->height == seen->height &&
                      memcmp(original->pixels, seen->pixels, 3 * (size_t)seen->width * seen->height) == 0;
    if (!same) {
        page_put(p, "<figure><img alt=\"the whole picture\" width=%u height=%u src=\"", original->width,
                 original->height);
        page_picture(p, original, false);
        page_put(p, "\"><figcaption>the picture</figcaption></figure>");
    }
    const uint32_t grid = r->session->model->grid;
    const bool crisp = seen->width <= REPORT_CRISP;
    page_put(p, "<figure><svg class=m viewBox=\"0 0 %u %u\"><image id=p%u %swidth=%u height=%u href=\"", grid, grid,
             r->count, crisp ? "class=k " : "", grid, grid);
    page_picture(p, seen, crisp);
    page_put(p, "\"/></svg><figcaption>%s</figcaption></figure>",
             same ? "the picture, which the model sees as it is" : "what the model sees of it");
}

static void write_picture(report *r, const classify_result *result, entry *e)
{
    const vision_model *model = r->session->model;
    page *p = &r->page;
    static const char *const fits[] = {
        [VISION_CROP] = ", its middle", [VISION_PAD] = ", with borders", [VISION_SQUASH] = ", squashed"};
    const bool square = result->width == result->height && model->fit != VISION_CROP;
    restore_pixels(r, result->input);
    page_put(p, "%u × %u pixels; the model sees %u × %u%s</p>", result->width, result->height, model->image_size,
             model->image_size, square ? "" : fits[model->fit]);
    page_put(p, "<div class=a><div class=seen>");
    write_pictures(r, result);
    page_put(p, "</div>");
    write_answer(r, result->logits, e);
    page_put(p, "</div><div class=r>");
    for (uint32_t b = 0; b < model->depth; b++) {
        uint32_t stride;
        const uint32_t *records = vision_engine_report(r->session->engine, 0, b, &stride).mapped;
        if (!records)
            continue;
        const smoe_plan_desc *plan = &model->blocks[b].plan;
        const routing block = {.page = p,
                               .picture = r->count,
                               .block = b,
                               .grid = model->grid,
                               .expert_count = plan->expert_count,
                               .k = plan->top_k,
                               .max_active = (stride - SMOE_REPORT_IDS) / 2,
                               .eps = report_eps(r, b),
                               .records = records + (size_t)result->place * model->tokens * stride,
                               .stride = stride,
                               .cells = r->cells,
                               .gaps = r->gaps,
                               .patches = r->patches};
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
    page_text(&r->page, path_name(path), REPORT_NAME_LENGTH);
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
        page_text(&r->page, result->reason, REPORT_NAME_LENGTH);
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

bool report_end(report *r, bool complete)
{
    if (!r)
        return true;
    report_write_summary(r, complete);
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
