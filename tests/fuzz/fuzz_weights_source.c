/* Matrices of weights of any format, shape and size, as a reader of files may give them: twelve 32-bit words, in the
 * order of `head`, then the arrays one behind the other. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

typedef struct head {
    uint32_t format, rows, columns, scale_type, group_rows, group_columns, row_step;
    uint32_t elements, scales, zeros, group_index; /* bytes; 0: NULL */
    uint32_t ask; /* bit 0: multiplier, 1: divisor; from bit 8 on the type, 0: the one that suits; from 16 on `first` */
} head;

/* The next bytes of the input, as many as there are, in memory of their own that ends with them. */
static smoe_weights_array take(const uint8_t **data, size_t *size, uint32_t wanted)
{
    const size_t count = wanted < *size ? wanted : *size;
    if (wanted == 0)
        return (smoe_weights_array){NULL, 0};
    void *bytes = malloc(count > 0 ? count : 1);
    FUZZ_EXPECT(bytes);
    memcpy(bytes, *data, count);
    *data += count;
    *size -= count;
    return (smoe_weights_array){bytes, count};
}

static void drop(const smoe_weights_source *s)
{
    free((void *)(uintptr_t)s->elements.data);
    free((void *)(uintptr_t)s->scales.data);
    free((void *)(uintptr_t)s->zeros.data);
    free((void *)(uintptr_t)s->group_index.data);
}

static void expect_told(smoe_result result, const char *reason)
{
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_INVALID_ARGUMENT || result == SMOE_ERROR_UNSUPPORTED);
    FUZZ_EXPECT(memchr(reason, '\0', SMOE_REASON_SIZE) && !reason[0] == (result == SMOE_SUCCESS));
}

/* Every byte of the parts is read. */
static void expect_readable(const smoe_weights_rows *rows)
{
    float *values = malloc((size_t)rows->row_count * rows->columns * sizeof *values);
    FUZZ_EXPECT(values && smoe_weights_unpack(values, rows) == SMOE_SUCCESS);
    free(values);
}

/* Some rows from `first` on, in memory that ends with them: one row at least, and with `first` 0 all of them. */
static bool convert(const smoe_weights_source *source, smoe_type type, float factor, uint32_t first)
{
    char reason[SMOE_REASON_SIZE];
    smoe_weights_rows to = {0};
    const uint32_t count = first < source->rows ? source->rows - first : 1;
    const uint64_t size = smoe_weights_size(type, 1, count, source->columns);
    FUZZ_EXPECT(size > 0);
    unsigned char *stored = malloc((size_t)size);
    FUZZ_EXPECT(stored && smoe_weights_rows_get(type, count, source->columns, stored, &to));
    to.factor = factor;
    const smoe_result result = smoe_weights_convert(&to, source, first, reason);
    expect_told(result, reason);
    if (result == SMOE_SUCCESS)
        expect_readable(&to);
    free(stored);
    return result == SMOE_SUCCESS;
}

static bool use(const smoe_weights_source *source, uint32_t ask)
{
    char reason[SMOE_REASON_SIZE];
    smoe_type type = SMOE_TYPE_FLOAT32;
    float factor = 0;
    smoe_result result = smoe_weights_source_type(source, &type, reason);
    expect_told(result, reason);
    if (ask >> 8 & 255u)
        type = (smoe_type)(ask >> 8 & 255u);
    result = smoe_weights_source_factor(source, type, &factor, reason);
    expect_told(result, reason);
    return result == SMOE_SUCCESS && convert(source, type, factor, ask >> 16);
}

bool fuzz_weights_source(const uint8_t *data, size_t size)
{
    head h = {0};
    float numbers[2] = {0};
    memcpy(&h, data, size < sizeof h ? size : sizeof h);
    data += size < sizeof h ? size : sizeof h;
    size -= size < sizeof h ? size : sizeof h;
    memcpy(numbers, data, size < sizeof numbers ? size : sizeof numbers);
    const smoe_weights_source source = {
        .format = (smoe_weights_format)h.format,
        .rows = h.rows,
        .columns = h.columns,
        .elements = take(&data, &size, h.elements),
        .scales = take(&data, &size, h.scales),
        .zeros = take(&data, &size, h.zeros),
        .group_index = take(&data, &size, h.group_index),
        .scale_type = (smoe_scale_type)h.scale_type,
        .group_rows = h.group_rows,
        .group_columns = h.group_columns,
        .row_step = h.row_step,
        .multiplier = h.ask & 1u ? &numbers[0] : NULL,
        .divisor = h.ask & 2u ? &numbers[1] : NULL,
    };
    const bool good = use(&source, h.ask);
    drop(&source);
    return good;
}
