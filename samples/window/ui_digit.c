/* The left side: the canvas, the answer to what is on it, and the experts that it went to. */
#include "ui_internal.h"

#include <math.h>
#include <stdio.h>

enum { CANVAS = 200, ROW = 15, LABEL = 18, GAP = 8 };

static void build_canvas(const ui_frame *frame, float x, float y)
{
    window_state *state = frame->state;
    float seen[DIGITS_PIXELS];
    state_digit(state, seen);
    const plot canvas = {.kind = PLOT_PICTURE,
                         .push = {.start = draw_add_picture(&frame->ui->list, state->canvas, CANVAS_SIDE * CANVAS_SIDE),
                                  .columns = CANVAS_SIDE,
                                  .rows = CANVAS_SIDE}};
    const plot small = {.kind = PLOT_PICTURE,
                        .push = {.start = draw_add_picture(&frame->ui->list, seen, DIGITS_PIXELS),
                                 .columns = DIGITS_SIDE,
                                 .rows = DIGITS_SIDE}};
    const float side = x + CANVAS + 12;
    const struct nk_rect where = ui_plot(frame, nk_rect(x, y, CANVAS, CANVAS), "canvas", &canvas);
    struct nk_command_buffer *out = nk_window_get_canvas(frame->nk);
    nk_stroke_rect(out, nk_rect(where.x - 1, where.y - 1, where.w + 2, where.h + 2), 0, 1, ui_colour(0xaab1bcu));
    if (ui_button(frame, nk_rect(side, y, 68, 26), "clear", "Clear"))
        state_clear(state);
    if (ui_button(frame, nk_rect(side, y + 34, 68, 26), "next", "Next"))
        state_step(state, 1);
    if (ui_button(frame, nk_rect(side, y + 64, 68, 26), "previous", "Previous"))
        state_step(state, -1);
    ui_text(frame, nk_rect(side, y + CANVAS - 66 - ROW * 2, 68, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "The model");
    ui_text(frame, nk_rect(side, y + CANVAS - 68 - ROW, 68, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "sees 8 x 8:");
    const struct nk_rect eye = ui_plot(frame, nk_rect(side, y + CANVAS - 64, 64, 64), "seen", &small);
    nk_stroke_rect(out, nk_rect(eye.x - 1, eye.y - 1, eye.w + 2, eye.h + 2), 0, 1, ui_colour(UI_LINE));
}

static void build_origin(const ui_frame *frame, struct nk_rect rect)
{
    const window_state *state = frame->state;
    if (state->dropped)
        ui_text(frame, rect, UI_SMALL, NK_TEXT_LEFT, WINDOW_NEAR, "For pictures: smoe-window --pictures");
    else if (state->sample == STATE_PAINTED)
        ui_text(frame, rect, UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "Painted. Fill the square for a good answer.");
    else
        ui_text(frame, rect, UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "Sample %d: a %u, %s.", state->sample,
                state->data->labels[state->sample],
                state->data->held_out[state->sample] ? "never seen in training" : "seen in training");
}

/* Two bars in a row, hard and smooth, for each of `count` rows; the plot is one for all rows. */
static void build_bars(const ui_frame *frame, struct nk_rect rect, const char *name, uint32_t classes)
{
    static const char *const sides[MODEL_SIDES] = {"hard", "smooth"};
    const float wide = (rect.w - LABEL - GAP) / 2;
    for (int side = 0; side < MODEL_SIDES; side++) {
        char area[UI_NAME_SIZE];
        const plot bars = {.kind = PLOT_BARS,
                           .side = (model_side)side,
                           .push = {.line = 3, .values = frame->facts->numbers->items * classes, .classes = classes}};
        snprintf(area, sizeof area, "%s_%s", name, sides[side]);
        ui_plot(frame, nk_rect(rect.x + LABEL + (float)side * (wide + GAP), rect.y, wide - 46, rect.h), area, &bars);
    }
}

static void build_number(const ui_frame *frame, struct nk_rect rect, uint32_t row, int side, double part, bool strong)
{
    const float wide = (rect.w - LABEL - GAP) / 2;
    const float x = rect.x + LABEL + (float)side * (wide + GAP) + wide - 44;
    const struct nk_rect at = nk_rect(x, rect.y + (float)row * ROW, 44, ROW);
    if (part >= 0.0005)
        ui_text(frame, at, UI_SMALL, NK_TEXT_RIGHT, strong ? UI_TEXT : UI_FAINT, "%.1f %%", 100 * part);
}

static void build_head(const ui_frame *frame, struct nk_rect rect, const char *title)
{
    const float wide = (rect.w - LABEL - GAP) / 2;
    ui_text(frame, nk_rect(rect.x, rect.y - 38, rect.w, 18), UI_NORMAL, NK_TEXT_LEFT, UI_TEXT, "%s", title);
    ui_text(frame, nk_rect(rect.x + LABEL, rect.y - 18, wide, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "hard");
    ui_text(frame, nk_rect(rect.x + LABEL + wide + GAP, rect.y - 18, wide, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT,
            "smooth");
}

static void build_answer(const ui_frame *frame, struct nk_rect rect)
{
    const window_numbers *numbers = frame->facts->numbers;
    build_head(frame, rect, "Which digit is it?");
    if (numbers->version > 0)
        build_bars(frame, rect, "answers", numbers->classes);
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++)
        ui_text(frame, nk_rect(rect.x, rect.y + (float)c * ROW, LABEL, ROW), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%u", c);
    for (uint32_t c = 0; numbers->version > 0 && c < numbers->classes; c++)
        for (int side = 0; side < MODEL_SIDES; side++)
            build_number(frame, rect, c, side, (double)numbers->sides[side].probabilities[c],
                         c == numbers->sides[side].answer);
}

static void build_experts(const ui_frame *frame, struct nk_rect rect)
{
    const window_numbers *numbers = frame->facts->numbers;
    const uint32_t experts = frame->facts->plan->expert_count;
    build_head(frame, rect, "Which experts did it go to?");
    if (numbers->version > 0)
        build_bars(frame, rect, "experts", 0);
    for (uint32_t e = 0; e < experts; e++)
        ui_text(frame, nk_rect(rect.x, rect.y + (float)e * ROW, LABEL, ROW), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%u", e);
    for (uint32_t e = 0; numbers->version > 0 && e < experts; e++)
        for (int side = 0; side < MODEL_SIDES; side++) {
            const float weight = numbers_weight(numbers, (model_side)side, 0, e);
            build_number(frame, rect, e, side, (double)weight, weight > 0);
        }
}

/* Which boundary it is near: the k-th expert, and the one behind it. */
static void build_boundary(const ui_frame *frame, struct nk_rect rect)
{
    const window_numbers *numbers = frame->facts->numbers;
    if (numbers->version == 0)
        return;
    const uint32_t k = frame->facts->plan->top_k;
    const uint32_t active = numbers_word(numbers, MODEL_SMOOTH, 0, SMOE_REPORT_ACTIVE);
    const uint32_t order = numbers_word(numbers, MODEL_SMOOTH, 0, SMOE_REPORT_ORDER);
    const float gap = numbers_gap(numbers, MODEL_SMOOTH, 0);
    const bool near = gap < (float)WINDOW_NEAR_GAP / 5;
    char behind[24] = "the next";
    if (active > k) /* the report names the experts that ran, in the order of their scores */
        snprintf(behind, sizeof behind, "%u", numbers_word(numbers, MODEL_SMOOTH, 0, SMOE_REPORT_IDS + k));
    ui_text(frame, rect, UI_SMALL, NK_TEXT_LEFT, near ? WINDOW_NEAR : UI_TEXT, "Gap from expert %u to %s: %.4f%s",
            numbers_word(numbers, MODEL_SMOOTH, 0, SMOE_REPORT_IDS + k - 1), behind, (double)gap,
            order > 0 ? " (a tie)"
            : near    ? " (a near tie)"
                      : "");
    rect.y += rect.h;
    ui_text(frame, rect, UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "Smooth: %u experts ran, %u beyond the best %u%s", active,
            active > k ? active - k : 0, k,
            numbers_word(numbers, MODEL_SMOOTH, 0, SMOE_REPORT_FLAGS) & SMOE_REPORT_FLAG_CAPPED ? ", capped" : "");
}

void ui_build_digit(const ui_frame *frame, struct nk_rect rect)
{
    float y = rect.y;
    ui_text(frame, nk_rect(rect.x, y, rect.w, 24), UI_LARGE, NK_TEXT_LEFT, UI_TEXT, "Paint a digit");
    build_canvas(frame, rect.x, y + 32);
    y += 32 + CANVAS + 6;
    build_origin(frame, nk_rect(rect.x, y, rect.w, ROW + 2));
    y += ROW + 2 + 50;
    build_answer(frame, nk_rect(rect.x, y, rect.w, ROW * DIGITS_CLASSES));
    y += ROW * DIGITS_CLASSES + 50;
    const float experts = ROW * (float)frame->facts->plan->expert_count;
    build_experts(frame, nk_rect(rect.x, y, rect.w, experts));
    build_boundary(frame, nk_rect(rect.x, y + experts + 4, rect.w, 16));
}
