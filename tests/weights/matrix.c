#include "matrix.h"

#include <math.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/half.h"

static const uint32_t scale_sizes[] = {4, 2, 2, 1}; /* by smoe_scale_type */

static void put_bytes(unsigned char *to, size_t size, test_random *random)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)test_random_below(random, 256);
}

/* Numbers that one power of two makes float16 numbers, with 0 and both signs. */
static void put_scale(smoe_scale_type type, unsigned char *to, uint32_t i, test_random *random)
{
    const float value = test_random_below(random, 16) == 0
                            ? 0
                            : ldexpf((float)test_random_below(random, 256), (int)test_random_below(random, 14) - 14) *
                                  (test_random_below(random, 2) ? 1.0f : -1.0f);
    const uint16_t word =
        type == SMOE_SCALE_TYPE_FLOAT16 ? test_half_from_float(value) : test_bfloat16_from_float(value);
    if (type == SMOE_SCALE_TYPE_E8M0)
        to[i] = (unsigned char)test_random_below(random, 256);
    else if (type == SMOE_SCALE_TYPE_FLOAT32)
        memcpy(to + (size_t)i * 4, &value, 4);
    else
        memcpy(to + (size_t)i * 2, &word, 2);
}

static bool is_int(smoe_weights_format format)
{
    return format >= SMOE_FORMAT_INT4 && format <= SMOE_FORMAT_AWQ4;
}

matrix matrix_make(smoe_weights_source source, bool zeros, test_random *random)
{
    matrix m = {.source = source, .sizes = test_source_sizes_of(&source)};
    m.elements = test_malloc(m.sizes.elements);
    m.scales = m.sizes.scales ? test_malloc(m.sizes.scales) : NULL;
    m.zeros = zeros ? test_malloc(m.sizes.zeros) : NULL;
    put_bytes(m.elements, m.sizes.elements, random);
    put_bytes(m.scales, m.sizes.scales, random);
    put_bytes(m.zeros, zeros ? m.sizes.zeros : 0, random);
    if (is_int(source.format))
        for (uint32_t i = 0; i < m.sizes.scales / scale_sizes[source.scale_type]; i++)
            put_scale(source.scale_type, m.scales, i, random);
    for (size_t i = 0; zeros && source.format == SMOE_FORMAT_GPTQ4 && i < m.sizes.zeros; i++)
        m.zeros[i] &= 0x77u; /* nothing is stored as 15 */
    for (size_t i = 0; zeros && source.format == SMOE_FORMAT_GPTQ8 && i < m.sizes.zeros; i++)
        m.zeros[i] &= 0x7fu;
    for (size_t i = 0; source.format == SMOE_FORMAT_GGUF_NVFP4 && i < m.sizes.elements; i++)
        if (i % 36 < 4 && m.elements[i] == 0xff)
            m.elements[i] = 0x7f;
    m.source.elements = (smoe_weights_array){m.elements, m.sizes.elements};
    m.source.scales = (smoe_weights_array){m.scales, m.sizes.scales};
    m.source.zeros = (smoe_weights_array){m.zeros, zeros ? m.sizes.zeros : 0};
    return m;
}

void matrix_free(matrix *m)
{
    test_free(m->elements);
    if (m->scales)
        test_free(m->scales);
    if (m->zeros)
        test_free(m->zeros);
}

void matrix_choose_type(matrix *m)
{
    char reason[SMOE_REASON_SIZE];
    if (smoe_weights_source_type(&m->source, &m->type, reason) != SMOE_SUCCESS ||
        smoe_weights_source_factor(&m->source, m->type, &m->factor, reason) != SMOE_SUCCESS)
        fail_msg("%s [%u,%u]: %s", smoe_weights_format_name(m->source.format), m->source.rows, m->source.columns,
                 reason);
}

smoe_result matrix_factor_result(const matrix *m, smoe_type type, char reason[SMOE_REASON_SIZE])
{
    float factor;
    return smoe_weights_source_factor(&m->source, type, &factor, reason);
}

void matrix_convert(const matrix *m, unsigned char *stored, uint32_t first, uint32_t count)
{
    smoe_weights_layout layout;
    char reason[SMOE_REASON_SIZE];
    assert_true(smoe_weights_layout_get(m->type, m->source.rows, m->source.columns, &layout));
    const smoe_weights_rows to = {
        .type = m->type,
        .row_count = count,
        .columns = m->source.columns,
        .rows = stored + first * layout.row_size,
        .scales = stored + layout.scales_offset + first / layout.block_rows * layout.scale_row_size,
        .second_scales = layout.second_columns ? stored + layout.second_offset + first * layout.second_row_size : NULL,
        .factor = m->factor,
    };
    if (smoe_weights_convert(&to, &m->source, first, reason) != SMOE_SUCCESS)
        fail_msg("%s [%u,%u]: %s", smoe_weights_format_name(m->source.format), m->source.rows, m->source.columns,
                 reason);
}

/* Places of float16 numbers in a block of GGUF. */
static uint32_t halves_of(smoe_weights_format format, uint32_t places[2])
{
    places[0] = format == SMOE_FORMAT_GGUF_Q6_K ? 208 : 0;
    places[1] = 2;
    switch (format) {
    case SMOE_FORMAT_GGUF_Q4_1:
    case SMOE_FORMAT_GGUF_Q5_1:
    case SMOE_FORMAT_GGUF_Q4_K:
    case SMOE_FORMAT_GGUF_Q5_K: return 2;
    case SMOE_FORMAT_GGUF_MXFP4:
    case SMOE_FORMAT_GGUF_NVFP4: return 0;
    default: return 1;
    }
}

static void make_blocks_finite(matrix *m, test_random *random)
{
    const test_source_block block = test_source_block_of(m->source.format);
    uint32_t places[2];
    const uint32_t halves = halves_of(m->source.format, places);
    for (size_t at = 0; at < m->sizes.elements; at += block.size) {
        for (uint32_t i = 0; i < halves; i++) {
            const uint16_t word = test_half_from_float(test_random_uniform(random, -0.01f, 0.01f));
            memcpy(m->elements + at + places[i], &word, sizeof word);
        }
        for (uint32_t i = 0; i < 4 && m->source.format == SMOE_FORMAT_GGUF_NVFP4; i++)
            m->elements[at + i] &= 0x3fu;
        if (m->source.format == SMOE_FORMAT_GGUF_MXFP4)
            m->elements[at] = (unsigned char)(118 + test_random_below(random, 8));
    }
}

void matrix_make_finite(matrix *m, test_random *random)
{
    const bool e4m3 = m->source.format == SMOE_FORMAT_FP8, nvfp4 = m->source.format == SMOE_FORMAT_NVFP4;
    if (!m->scales) {
        make_blocks_finite(m, random);
        return;
    }
    for (size_t i = 0; e4m3 && i < m->sizes.elements; i++)
        m->elements[i] = (unsigned char)((m->elements[i] & 127) == 127 ? 0 : m->elements[i]);
    for (uint32_t i = 0; m->source.format <= SMOE_FORMAT_NVFP4 && i < m->sizes.scales; i++)
        m->scales[i] = (unsigned char)(nvfp4 ? m->scales[i] & 0x3fu : 118u + m->scales[i] % 8u);
    for (uint32_t i = 0; e4m3 && i < m->sizes.scales / scale_sizes[m->source.scale_type]; i++)
        put_scale(m->source.scale_type, m->scales, i, random);
}
