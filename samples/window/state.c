/* What the user has chosen, and what changes it. */
#include "state.h"

#include <math.h>
#include <string.h>

#define BRUSH 2.8f     /* radius in pixels of the canvas: strokes as thick as the data has them on average */
#define NARROWEST 1e-4 /* of the path: 512 points within still differ in float32 */
/* A 4 and an 8 that were not trained on: between them hard routing jumps by 72 %. */
#define FROM_SAMPLE 1033
#define TO_SAMPLE 462

static void set_choice(const window_state *state, digit_choice *end, int sample)
{
    for (uint32_t p = 0; p < DIGITS_PIXELS; p++)
        end->pixels[p] = (float)state->data->images[(uint32_t)sample * DIGITS_PIXELS + p] / (float)DIGITS_INK;
    end->sample = sample;
}

void state_begin(window_state *state, const digits_data *data, const smoe_forward_params *params)
{
    *state = (window_state){.data = data, .params = *params, .defaults = *params, .vsync = true, .pointed = -1};
    state_whole_path(state);
    set_choice(state, &state->from, FROM_SAMPLE % (int)data->count);
    set_choice(state, &state->to, TO_SAMPLE % (int)data->count);
    state_show_sample(state, FROM_SAMPLE % (int)data->count);
}

void state_begin_pictures(window_state *state, const window_pictures *pictures, const smoe_forward_params *params)
{
    *state = (window_state){.pictures = pictures, .params = *params, .defaults = *params, .vsync = true, .pointed = -1};
    state->to_picture = pictures->count - 1;
    state_whole_path(state);
}

void state_show_picture(window_state *state, uint32_t index)
{
    state->shown = index;
    state->version++;
}

void state_choose_picture(window_state *state, uint32_t *end)
{
    *end = state->shown;
    state_whole_path(state);
}

void state_digit(const window_state *state, float pixels[DIGITS_PIXELS])
{
    memset(pixels, 0, sizeof *pixels * DIGITS_PIXELS);
    for (uint32_t y = 0; y < CANVAS_SIDE; y++)
        for (uint32_t x = 0; x < CANVAS_SIDE; x++)
            pixels[y / CANVAS_CELL * DIGITS_SIDE + x / CANVAS_CELL] += state->canvas[y * CANVAS_SIDE + x];
    for (uint32_t p = 0; p < DIGITS_PIXELS; p++)
        pixels[p] /= CANVAS_CELL * CANVAS_CELL;
}

void state_clear(window_state *state)
{
    state->dropped = false;
    memset(state->canvas, 0, sizeof state->canvas);
    state->sample = STATE_PAINTED;
    state->version++;
}

static void paint_dot(window_state *state, float x, float y)
{
    for (int row = 0; row < CANVAS_SIDE; row++)
        for (int column = 0; column < CANVAS_SIDE; column++) {
            const float distance = hypotf((float)column + 0.5f - x, (float)row + 0.5f - y);
            const float ink = fminf(fmaxf(BRUSH + 0.5f - distance, 0), 1);
            float *pixel = &state->canvas[row * CANVAS_SIDE + column];
            *pixel = fmaxf(*pixel, ink);
        }
}

void state_paint(window_state *state, float from_x, float from_y, float to_x, float to_y)
{
    const int steps = 1 + (int)(2 * hypotf(to_x - from_x, to_y - from_y));
    for (int i = 0; i <= steps; i++) {
        const float part = (float)i / (float)steps;
        paint_dot(state, from_x + part * (to_x - from_x), from_y + part * (to_y - from_y));
    }
    state->sample = STATE_PAINTED;
    state->version++;
}

void state_show_sample(window_state *state, int sample)
{
    state->dropped = false;
    const uint8_t *image = state->data->images + (uint32_t)sample * DIGITS_PIXELS;
    for (uint32_t y = 0; y < CANVAS_SIDE; y++)
        for (uint32_t x = 0; x < CANVAS_SIDE; x++)
            state->canvas[y * CANVAS_SIDE + x] =
                (float)image[y / CANVAS_CELL * DIGITS_SIDE + x / CANVAS_CELL] / (float)DIGITS_INK;
    state->sample = sample;
    state->version++;
}

void state_step(window_state *state, int step)
{
    if (state->pictures) {
        const uint32_t all = state->pictures->count;
        state_show_picture(state, (state->shown + (step > 0 ? 1 : all - 1)) % all);
        return;
    }
    const int count = (int)state->data->count;
    int sample = state->sample == STATE_PAINTED ? (step > 0 ? -1 : count) : state->sample;
    for (int i = 0; i < count; i++) {
        sample = (sample + step + count) % count;
        if (state->data->held_out[sample])
            break;
    }
    state_show_sample(state, sample);
}

void state_choose(window_state *state, digit_choice *end)
{
    state_digit(state, end->pixels);
    end->sample = state->sample;
    state_whole_path(state);
}

void state_look_at(window_state *state, double low, double high)
{
    const double width = fmin(fmax(high - low, NARROWEST), 1);
    const double middle = fmin(fmax((low + high) / 2, width / 2), 1 - width / 2);
    state->low = fmax(middle - width / 2, 0);
    state->high = fmin(middle + width / 2, 1);
    state->version++;
}

void state_whole_path(window_state *state)
{
    state->bottom = 0;
    state->top = 1;
    state_look_at(state, 0, 1);
}

void state_show_logits(window_state *state, bool logits)
{
    state->logits = logits;
    state->bottom = 0;
    state->top = 1;
}

void state_fill_request(window_state *state, model_request *request)
{
    if (state->pictures) {
        const window_picture *list = state->pictures->list;
        request->item = list[state->shown].input;
        request->from = list[state->from_picture].input;
        request->to = list[state->to_picture].input;
    } else {
        state_digit(state, state->seen);
        request->item = state->seen;
        request->from = state->from.pixels;
        request->to = state->to.pixels;
    }
    request->low = state->low;
    request->high = state->high;
    request->params = state->params;
}
