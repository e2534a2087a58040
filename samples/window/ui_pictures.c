/* The left side for pictures: the one that is looked at, the five best classes, and maps of its patches. */
#include "ui_internal.h"

#include <stdio.h>
#include <string.h>

enum { CANVAS = 200, ROW = 16, NAME = 74, BEST = 5, MAP = 86, GAP = 8 };

void ui_picture(const ui_frame *frame, float x, float y, float side, const char *name, const float *shown)
{
    const uint32_t pixels = frame->state->pictures->side;
    const plot picture = {.kind = PLOT_PICTURE,
                          .push = {.start = draw_add_picture(&frame->ui->list, shown, 3 * pixels * pixels),
                                   .classes = 3,
                                   .columns = pixels,
                                   .rows = pixels}};
    const struct nk_rect where = ui_plot(frame, nk_rect(x, y, side, side), name, &picture);
    nk_stroke_rect(nk_window_get_canvas(frame->nk), nk_rect(where.x - 1, where.y - 1, where.w + 2, where.h + 2), 0, 1,
                   ui_colour(UI_LINE));
}

static void build_shown(const ui_frame *frame, float x, float y)
{
    window_state *state = frame->state;
    const float side = x + CANVAS + 12;
    ui_picture(frame, x, y, CANVAS, "canvas", state->pictures->list[state->shown].shown);
    if (ui_button(frame, nk_rect(side, y, 68, 26), "next", "Next"))
        state_step(state, 1);
    if (ui_button(frame, nk_rect(side, y + 30, 68, 26), "previous", "Previous"))
        state_step(state, -1);
    ui_text(frame, nk_rect(side, y + 64, 68, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "%u of %u", state->shown + 1,
            state->pictures->count);
    if (frame->facts->numbers->version == 0)
        return;
    ui_text(frame, nk_rect(side, y + CANVAS - 2 * ROW, 68, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "The model");
    ui_text(frame, nk_rect(side, y + CANVAS - ROW, 68, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "takes %.1f MB",
            frame->facts->model->megabytes);
}

/* ---- the five best classes --------------------------------------------------------------------------------------- */

/* By the smooth side, which is listed; the lower class first where equal. */
static uint32_t rank_classes(const window_numbers *numbers, uint32_t best[BEST])
{
    const float *probabilities = numbers->sides[MODEL_SMOOTH].probabilities;
    uint32_t count = 0;
    for (uint32_t c = 0; c < numbers->classes; c++) {
        uint32_t place = count < BEST ? count++ : BEST;
        for (; place > 0 && probabilities[c] > probabilities[best[place - 1]]; place--)
            if (place < BEST)
                best[place] = best[place - 1];
        if (place < BEST)
            best[place] = c;
    }
    return count;
}

static void build_bar(const ui_frame *frame, struct nk_rect rect, const char *name, uint32_t class, float part)
{
    static const uint32_t colours[] = {WINDOW_CLASS_COLOURS};
    const struct nk_rect bar = nk_layout_space_rect_to_screen(frame->nk, nk_rect(rect.x, rect.y + 3, rect.w - 48, 10));
    struct nk_command_buffer *out = nk_window_get_canvas(frame->nk);
    ui_name(frame, name, bar);
    nk_fill_rect(out, bar, 0, ui_colour(WINDOW_TRACK));
    nk_fill_rect(out, nk_rect(bar.x, bar.y, bar.w * part, bar.h), 0, ui_colour(colours[class]));
    ui_text(frame, nk_rect(rect.x + rect.w - 46, rect.y, 46, ROW), UI_SMALL, NK_TEXT_RIGHT, UI_TEXT, "%.1f %%",
            100 * (double)part);
}

static void build_answers(const ui_frame *frame, struct nk_rect rect)
{
    const window_numbers *numbers = frame->facts->numbers;
    const char *const *names = frame->facts->model->class_names;
    const float wide = (rect.w - NAME - GAP) / 2;
    uint32_t best[BEST];
    const uint32_t count = numbers->version > 0 ? rank_classes(numbers, best) : 0;
    const bool unsure =
        count > 0 && numbers->sides[MODEL_SMOOTH].probabilities[best[0]] < frame->facts->model->unsure_below;
    ui_text(frame, nk_rect(rect.x, rect.y, rect.w, 18), UI_NORMAL, NK_TEXT_LEFT, unsure ? WINDOW_NEAR : UI_TEXT,
            unsure ? "Unsure" : "What is it?");
    ui_text(frame, nk_rect(rect.x + NAME, rect.y + 2, wide, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "hard");
    ui_text(frame, nk_rect(rect.x + NAME + wide + GAP, rect.y + 2, wide, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT,
            "smooth");
    for (uint32_t i = 0; i < count; i++) {
        const float y = rect.y + 20 + (float)i * ROW;
        ui_text(frame, nk_rect(rect.x, y, NAME - 4, ROW), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%u %s", best[i],
                names ? names[best[i]] : "");
        for (int side = 0; side < MODEL_SIDES; side++) {
            char name[UI_NAME_SIZE];
            snprintf(name, sizeof name, "best_%u_%s", i, side == MODEL_HARD ? "hard" : "smooth");
            build_bar(frame, nk_rect(rect.x + NAME + (float)side * (wide + GAP), y, wide, ROW), name, best[i],
                      numbers->sides[side].probabilities[best[i]]);
        }
    }
}

/* ---- maps of patches --------------------------------------------------------------------------------------------- */

/* The patch that is pointed at, in words. */
static void describe_patch(const ui_frame *frame, struct nk_rect line, struct nk_rect map, const model_block *block)
{
    const window_numbers *numbers = frame->facts->numbers;
    const struct nk_vec2 at = frame->nk->input.mouse.pos;
    const uint32_t grid = frame->facts->model->grid, max_active = block->plan.max_active;
    const uint32_t column = (uint32_t)((at.x - map.x) / map.w * (float)grid);
    const uint32_t row = (uint32_t)((at.y - map.y) / map.h * (float)grid);
    if (!nk_input_is_mouse_hovering_rect(&frame->nk->input, map) || column >= grid || row >= grid)
        return;
    const uint32_t *record = numbers->sides[MODEL_SMOOTH].patches + block->word +
                             (size_t)(1 + row * grid + column) * SMOE_REPORT_STRIDE(max_active);
    char text[128];
    int used = snprintf(text, sizeof text, "Patch %u, %u: gap %.3f; experts", column + 1, row + 1,
                        (double)numbers_float(record + SMOE_REPORT_GAP));
    for (uint32_t i = 0; i < record[SMOE_REPORT_ACTIVE] && used < (int)sizeof text - 16; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, " %u (%.0f %%)", record[SMOE_REPORT_IDS + i],
                         100 * (double)numbers_float(record + SMOE_REPORT_WEIGHTS(max_active) + i));
    ui_text(frame, line, UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%s", text);
}

static void build_maps(const ui_frame *frame, struct nk_rect rect, uint32_t index)
{
    static const struct {
        const char *name, *label;
        uint32_t kind;
    } maps[] = {{"expert", "best expert", WINDOW_PATCHES_EXPERT},
                {"near", "near a tie", WINDOW_PATCHES_NEAR},
                {"extra", "further ones", WINDOW_PATCHES_EXTRA}};
    const model_block *block = &frame->facts->model->blocks[index];
    const uint32_t grid = frame->facts->model->grid;
    ui_text(frame, nk_rect(rect.x, rect.y, rect.w, 18), UI_NORMAL, NK_TEXT_LEFT, UI_TEXT,
            "Block %u: the best %u of %u experts", block->number, block->plan.top_k, block->plan.expert_count);
    for (uint32_t i = 0; i < 3 && frame->facts->numbers->version > 0; i++) {
        const float x = rect.x + (float)i * (MAP + 11);
        char name[UI_NAME_SIZE];
        const plot map = {.kind = PLOT_PATCHES,
                          .side = MODEL_SMOOTH,
                          .push = {.values = maps[i].kind,
                                   .start = block->word,
                                   .columns = grid,
                                   .rows = grid,
                                   .count = block->plan.top_k,
                                   .experts = block->plan.expert_count,
                                   .max_active = block->plan.max_active}};
        snprintf(name, sizeof name, "patches_%s_%u", maps[i].name, index);
        const struct nk_rect where = ui_plot(frame, nk_rect(x, rect.y + 38, MAP, MAP), name, &map);
        ui_text(frame, nk_rect(x, rect.y + 20, MAP, ROW), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "%s", maps[i].label);
        describe_patch(frame, nk_rect(rect.x, rect.y + 40 + MAP, rect.w, ROW), where, block);
    }
}

void ui_build_pictures(const ui_frame *frame, struct nk_rect rect)
{
    const window_pictures *pictures = frame->state->pictures;
    const char *said = pictures->reason[0] ? pictures->reason : pictures->list[frame->state->shown].name;
    float y = rect.y;
    ui_text(frame, nk_rect(rect.x, y, rect.w, 24), UI_LARGE, NK_TEXT_LEFT, UI_TEXT, "Drop a picture here");
    build_shown(frame, rect.x, y + 32);
    y += 32 + CANVAS + 4;
    ui_text(frame, nk_rect(rect.x, y, rect.w, ROW), UI_SMALL, NK_TEXT_LEFT,
            pictures->reason[0] ? WINDOW_NEAR : UI_FAINT, "%s", said);
    y += ROW + 6;
    build_answers(frame, nk_rect(rect.x, y, rect.w, 20 + BEST * ROW));
    y += 20 + BEST * ROW + 8;
    for (uint32_t i = 0; i < frame->facts->model->block_count; i++)
        build_maps(frame, nk_rect(rect.x, y + (float)i * (MAP + 62), rect.w, MAP + 62), i);
}
