/* Matrices of types that smoe does not round to: random elements, and scales of their form as files have them. */
#include "bench.h"

#include <math.h>
#include <string.h>

#include "../shaders/common/interface.h"

#define ELEMENT(NAME, number, bits) ELEMENT_##NAME = number,
enum { SMOE_ELEMENTS(ELEMENT) };
#define FORM(NAME, number, size, second_size) SCALE_##NAME = number,
enum { SMOE_SCALE_FORMS(FORM) };

#define BITS(NAME, number, bits) [number] = bits,
static const uint32_t element_bits[] = {SMOE_ELEMENTS(BITS)};
#define SIZES(NAME, number, size, second_size) [number] = {size, second_size},
static const uint32_t scale_sizes[][2] = {SMOE_SCALE_FORMS(SIZES)};

typedef struct block_kind {
    int element, form;
    bool factor;
} block_kind;

#define KIND(NAME, number, element, columns, rows, form, second, factor, packs)                                        \
    [number] = {ELEMENT_##element, SCALE_##form, factor},
static const block_kind kinds[] = {SMOE_WEIGHT_TYPES(KIND)};

/* The largest size of an element. */
static float largest(int element)
{
    switch (element) {
    case ELEMENT_OFFSET4: return 8;
    case ELEMENT_UINT4: return 15;
    case ELEMENT_UINT8: return 255;
    case ELEMENT_E4M3: return 448;
    case ELEMENT_E2M1: return 6;
    default: return 127;
    }
}

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

/* xorshift32 (G. Marsaglia, Xorshift RNGs, 2003): the state is never 0. */
static uint32_t draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static uint32_t draw_from(uint32_t *state, uint32_t least, uint32_t count)
{
    return least + (draw(state) >> 8) % count;
}

/* 0.5 .. 1 times a size. */
static float draw_size(uint32_t *state, float size)
{
    return size * (0.5f + (float)(draw(state) >> 8) * 0x1p-25f);
}

/* ---- scales ------------------------------------------------------------------------------------------------------ */

/* A block's float16 scale below 2^-14 counts as 0 on a device without denormal numbers: those drawn are not below. */
#define LEAST_HALF 0x1p-13f

static float put_half(unsigned char *to, float value)
{
    float rounded;
    smoe_type_convert(to, SMOE_TYPE_FLOAT16, &value, SMOE_TYPE_FLOAT32, 1);
    smoe_type_convert(&rounded, SMOE_TYPE_FLOAT32, to, SMOE_TYPE_FLOAT16, 1);
    return rounded;
}

/* limit: what weights are at most, about. A first scale of bytes is drawn from the upper half of its range: the second
 * scale brings weights to the limit. */
static void draw_scale(const block_kind *kind, float limit, uint32_t *state, unsigned char *to)
{
    const float step = limit / largest(kind->element), half = fmaxf(step, LEAST_HALF);
    float value;
    switch (kind->form) {
    case SCALE_HALF:
    case SCALE_HALF_ZERO: put_half(to, draw_size(state, half)); break;
    case SCALE_FLOAT:
        value = draw_size(state, step);
        memcpy(to, &value, sizeof value);
        break;
    case SCALE_HALF_MINIMUM: /* from -limit to limit */
        value = put_half(to, draw_size(state, fmaxf(2 * step, LEAST_HALF)));
        put_half(to + 2, -value * largest(kind->element) / 2);
        break;
    case SCALE_BYTE_HALF: *to = (unsigned char)(draw_from(state, 64, 64) * (draw(state) >> 31 ? 1u : 255u)); break;
    case SCALE_BYTES_HALVES:
        to[0] = (unsigned char)draw_from(state, 32, 32);
        to[1] = (unsigned char)draw_from(state, 32, 32);
        break;
    default: break;
    }
}

static void draw_second_scale(const block_kind *kind, float limit, uint32_t *state, unsigned char *to)
{
    const float step = limit / largest(kind->element);
    const bool is_signed = kind->element == ELEMENT_INT8;
    switch (kind->form) {
    case SCALE_HALF_ZERO: *to = (unsigned char)(draw_from(state, 4, 8) - (is_signed ? 8u : 0u)); break;
    case SCALE_BYTE_HALF: put_half(to, draw_size(state, step / 127)); break;
    case SCALE_BYTES_HALVES: /* from -limit to limit */
        put_half(to, draw_size(state, 2 * step / 63));
        put_half(to + 2, draw_size(state, limit / 63));
        break;
    default: break;
    }
}

/* ---- a matrix ---------------------------------------------------------------------------------------------------- */

static unsigned char draw_elements(const block_kind *kind, uint32_t *state)
{
    const uint32_t byte = draw(state) >> 24;
    return (unsigned char)(kind->element == ELEMENT_E4M3 && (byte & 127) == 127 ? byte - 1 : byte); /* no NaN */
}

float bench_draw_blocks(const smoe_weights_rows *rows, uint32_t seed)
{
    const block_kind *kind = &kinds[rows->type];
    const uint32_t scale_size = scale_sizes[kind->form][0], second_size = scale_sizes[kind->form][1];
    const float factor = kind->factor ? 0.5f : 1, limit = 1 / sqrtf((float)rows->columns) / factor;
    const uint64_t used = (uint64_t)rows->columns * element_bits[kind->element] / 8;
    unsigned char *const elements = rows->rows, *const scales = rows->scales, *const seconds = rows->second_scales;
    smoe_weights_layout layout;
    uint32_t state = (seed + 1) * 0x9e3779b9u | 1u;
    if (kind->form == SCALE_NONE || kind->form == SCALE_E8M0 || kind->form == SCALE_E4M3 ||
        !smoe_weights_layout_get(rows->type, rows->row_count, rows->columns, &layout))
        return 0;
    const uint32_t block_rows = (rows->row_count + layout.block_rows - 1) / layout.block_rows;
    for (uint32_t r = 0; r < rows->row_count; r++)
        for (uint64_t i = 0; i < used; i++)
            elements[r * layout.row_size + i] = draw_elements(kind, &state);
    for (uint64_t i = 0; i < block_rows * layout.scale_row_size; i += scale_size)
        draw_scale(kind, limit, &state, scales + i);
    for (uint64_t i = 0; second_size > 0 && i < rows->row_count * layout.second_row_size; i += second_size)
        draw_second_scale(kind, limit, &state, seconds + i);
    return factor;
}
