/* The state and the results shown, as JSON. */
#include "state_file.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"

static cJSON *rectangle(struct nk_rect rect, float scale)
{
    const float numbers[] = {rect.x * scale, rect.y * scale, rect.w * scale, rect.h * scale};
    return cJSON_CreateFloatArray(numbers, 4);
}

static cJSON *areas(const window_app *app)
{
    cJSON *object = cJSON_CreateObject();
    for (uint32_t i = 0; i < app->ui.area_count; i++)
        cJSON_AddItemToObject(object, app->ui.areas[i].name, rectangle(app->ui.areas[i].rect, app->scale));
    return object;
}

/* The curves' values at the edges of their rectangle. */
static void add_axis(const window_app *app, cJSON *object)
{
    for (uint32_t i = 0; i < app->ui.list.plot_count; i++)
        if (app->ui.list.plots[i].kind == PLOT_CURVES) {
            cJSON_AddItemToObject(object, "axis", cJSON_CreateFloatArray(&app->ui.list.plots[i].push.low, 2));
            return;
        }
}

static cJSON *rows(const float *values, uint32_t count, uint32_t columns)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateFloatArray(values + i * columns, (int)columns));
    return array;
}

/* An item's record: gap, band, order, experts with their weights. */
static cJSON *record(const window_numbers *numbers, model_side side, uint32_t item)
{
    cJSON *object = cJSON_CreateObject(), *weights = cJSON_AddObjectToObject(object, "weights");
    const uint32_t active = numbers_word(numbers, side, item, SMOE_REPORT_ACTIVE);
    cJSON_AddNumberToObject(object, "gap", (double)numbers_gap(numbers, side, item));
    cJSON_AddNumberToObject(object, "order", numbers_word(numbers, side, item, SMOE_REPORT_ORDER));
    for (uint32_t rank = 0; rank < active; rank++) {
        char name[16];
        const uint32_t expert = numbers_word(numbers, side, item, SMOE_REPORT_IDS + rank);
        snprintf(name, sizeof name, "%u", expert);
        cJSON_AddNumberToObject(weights, name, (double)numbers_weight(numbers, side, item, expert));
    }
    return object;
}

/* For each block of the picture that is looked at: its patches' experts by rank, their gaps and how many ran. */
static cJSON *blocks(const window_model *model, const uint32_t *patches)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t b = 0; b < model->block_count; b++) {
        const model_block *block = &model->blocks[b];
        const uint32_t stride = SMOE_REPORT_STRIDE(block->plan.max_active);
        cJSON *object = cJSON_CreateObject(), *experts = cJSON_AddArrayToObject(object, "experts");
        cJSON *gaps = cJSON_AddArrayToObject(object, "gaps"), *active = cJSON_AddArrayToObject(object, "active");
        cJSON_AddNumberToObject(object, "number", block->number);
        cJSON_AddNumberToObject(object, "max_active", block->plan.max_active);
        cJSON_AddNumberToObject(object, "top_k", block->plan.top_k);
        for (uint32_t p = 0; p < model->grid * model->grid; p++) {
            const uint32_t *words = patches + block->word + (size_t)(1 + p) * stride;
            float gap;
            memcpy(&gap, words + SMOE_REPORT_GAP, sizeof gap);
            cJSON_AddItemToArray(experts, cJSON_CreateNumber(words[SMOE_REPORT_IDS]));
            cJSON_AddItemToArray(gaps, cJSON_CreateNumber((double)gap));
            cJSON_AddItemToArray(active, cJSON_CreateNumber(words[SMOE_REPORT_ACTIVE]));
        }
        cJSON_AddItemToArray(array, object);
    }
    return array;
}

static cJSON *results(const window_model *model, const window_numbers *numbers, model_side side)
{
    const side_numbers *from = &numbers->sides[side];
    cJSON *object = cJSON_CreateObject(), *records = cJSON_AddArrayToObject(object, "records");
    cJSON_AddItemToObject(object, "logits", rows(from->logits, numbers->items, numbers->classes));
    cJSON_AddItemToObject(object, "probabilities", rows(from->probabilities, numbers->items, numbers->classes));
    for (uint32_t i = 0; i < numbers->items; i++)
        cJSON_AddItemToArray(records, record(numbers, side, i));
    if (from->patches)
        cJSON_AddItemToObject(object, "blocks", blocks(model, from->patches));
    cJSON_AddNumberToObject(object, "answer", from->answer);
    cJSON_AddNumberToObject(object, "jumps", from->jumps);
    cJSON_AddNumberToObject(object, "largest_step", (double)from->largest_step);
    cJSON_AddNumberToObject(object, "milliseconds", from->milliseconds);
    return object;
}

static void add_digits(const window_state *state, cJSON *object)
{
    float seen[DIGITS_PIXELS];
    state_digit(state, seen);
    cJSON_AddItemToObject(object, "seen", cJSON_CreateFloatArray(seen, DIGITS_PIXELS));
    cJSON_AddItemToObject(object, "canvas", cJSON_CreateFloatArray(state->canvas, CANVAS_SIDE * CANVAS_SIDE));
    cJSON_AddItemToObject(object, "from", cJSON_CreateFloatArray(state->from.pixels, DIGITS_PIXELS));
    cJSON_AddItemToObject(object, "to", cJSON_CreateFloatArray(state->to.pixels, DIGITS_PIXELS));
    cJSON_AddNumberToObject(object, "sample", state->sample);
}

static void add_pictures(const window_state *state, cJSON *object)
{
    const window_pictures *pictures = state->pictures;
    const int numbers = (int)(3 * pictures->side * pictures->side);
    cJSON *names = cJSON_AddArrayToObject(object, "pictures");
    for (uint32_t i = 0; i < pictures->count; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(pictures->list[i].name));
    cJSON_AddItemToObject(object, "canvas", cJSON_CreateFloatArray(pictures->list[state->shown].shown, numbers));
    cJSON_AddNumberToObject(object, "side", pictures->side);
    cJSON_AddStringToObject(object, "reason", pictures->reason);
    cJSON_AddNumberToObject(object, "shown", state->shown);
    cJSON_AddNumberToObject(object, "from", state->from_picture);
    cJSON_AddNumberToObject(object, "to", state->to_picture);
}

static void add_choices(const window_state *state, cJSON *object)
{
    if (state->pictures)
        add_pictures(state, object);
    else
        add_digits(state, object);
    cJSON_AddNumberToObject(object, "low", state->low);
    cJSON_AddNumberToObject(object, "high", state->high);
    cJSON_AddBoolToObject(object, "logits", state->logits);
    cJSON_AddBoolToObject(object, "vsync", state->vsync);
    cJSON_AddNumberToObject(object, "max_active", state->params.max_active);
    const smoe_forward_number *number;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)); i++)
        cJSON_AddNumberToObject(object, number->name, (double)smoe_forward_number_value(number, &state->params));
}

static cJSON *everything(const window_app *app)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "width", app->swapchain.size.width);
    cJSON_AddNumberToObject(object, "height", app->swapchain.size.height);
    cJSON_AddNumberToObject(object, "pixels_per_unit", (double)app->scale);
    cJSON_AddNumberToObject(object, "frames", (double)app->swapchain.frame);
    cJSON_AddBoolToObject(object, "loading", app->numbers.version == 0);
    cJSON_AddBoolToObject(object, "own_queue", app->device.graphics_family != app->device.compute_family);
    cJSON_AddNumberToObject(object, "first_frame_milliseconds", (app->first_frame - app->began) * 1e-6);
    cJSON_AddNumberToObject(object, "frame_milliseconds", app->frame_milliseconds);
    add_choices(&app->state, object);
    add_axis(app, object);
    cJSON_AddItemToObject(object, "areas", areas(app));
    if (app->numbers.version > 0) {
        cJSON_AddItemToObject(object, "hard", results(&app->model, &app->numbers, MODEL_HARD));
        cJSON_AddItemToObject(object, "smooth", results(&app->model, &app->numbers, MODEL_SMOOTH));
    }
    return object;
}

bool state_file_write(window_app *app, const char *path)
{
    program_output output;
    cJSON *object = everything(app);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text || !program_output_open(&output, path)) {
        snprintf(app->error, sizeof app->error, "%s", text ? output.reason : "out of memory");
        free(text);
        return false;
    }
    fputs(text, output.stream);
    free(text);
    if (program_output_close(&output, true))
        return true;
    snprintf(app->error, sizeof app->error, "%s", output.reason);
    return false;
}
