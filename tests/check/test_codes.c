/* What the kernels make of every element of the types with scales, and of scales that are 0, small, huge or no number:
 * in w1, w3, w2 and the shared expert's w2, for few tokens and for many. A row of a matrix has one element all along,
 * and its product with a token is held against smoe/weights.h as tests/common/blocks.c reads it: NaN and infinities
 * are the same. tests/check/test_scales.c has the bits of single weights. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/block_widths.h"
#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"

/* What all scales of a matrix are filled with: bytes, halves or words as a type has them. */
static const struct {
    uint32_t bits;
    bool small; /* for some type: a device without denormal numbers may take it for 0 */
} scales[] = {
    {0x3c003c00, false}, {0xbc003c00, false}, {0x00000000, false}, {0x08080808, false}, {0x80008000, true},
    {0x00010001, true},  {0x03ff03ff, true},  {0x83ff83ff, true},  {0x04000400, true},  {0x01010101, true},
    {0x00000001, true},  {0x00400000, true},  {0x00800000, true},  {0x7bff7bff, false}, {0xfbfffbff, false},
    {0x7c007c00, false}, {0xfc00fc00, false}, {0x7e007e00, false}, {0x7f7fffff, false}, {0x7f800000, false},
    {0xff800000, false}, {0x7fc00000, false}, {0x7f7f7f7f, false}, {0xfafafafa, false}, {0xfefefefe, false},
    {0xffffffff, false},
};

/* Elements that each scale meets. The first scale meets all of them. */
static const unsigned char some_codes[] = {0x00, 0x01, 0x02, 0x04, 0x07, 0x08, 0x09, 0x0f,
                                           0x40, 0x6c, 0x7e, 0x7f, 0x80, 0x81, 0xc0, 0xff};

/* The rows of a scale are whole groups, and a group is a matrix of w2; a row of w1 is an expert's matrix. */
enum {
    SCALES = sizeof scales / sizeof scales[0],
    GROUP = sizeof some_codes,
    ALL_ROWS = 256 + (SCALES - 1) * GROUP,
    UP_EXPERTS = 64,
    DOWN_EXPERTS = 8,
    MANY = 17, /* tokens of an expert */
    MOST_ROWS = DOWN_EXPERTS * GROUP,
    MOST_WIDTH = 256,
    MOST_TOKENS = UP_EXPERTS * MANY,
};

#define FACTOR 1.5f /* of a matrix, where its type has one */

/* Which of the matrices has the rows. */
typedef enum place { UP, UP_LINEAR, DOWN, SHARED_DOWN, PLACE_COUNT } place;

static const struct {
    const char *name;
    uint32_t experts, rows; /* of an expert's matrix */
} places[PLACE_COUNT] = {
    [UP] = {"w1", UP_EXPERTS, 1},
    [UP_LINEAR] = {"w3", UP_EXPERTS, 1},
    [DOWN] = {"w2", DOWN_EXPERTS, GROUP},
    [SHARED_DOWN] = {"the shared expert's w2", 1, GROUP},
};

typedef struct code_run {
    smoe_device *device;
    smoe_device_layer *layers[PLACE_COUNT][2]; /* the last of each place, few and many: the next share its pipelines */
    smoe_type type;
    place place;
    uint32_t width, tokens;
    uint32_t first; /* of the rows of the layer at hand */
    unsigned char stored[MOST_ROWS * MOST_WIDTH * 2], plain[MOST_ROWS * MOST_WIDTH * 2];
    float floats[MOST_ROWS * MOST_WIDTH], plain_floats[MOST_ROWS * MOST_WIDTH]; /* plain: w1 beside w3 */
    float plain_factors[UP_EXPERTS];
    float router[UP_EXPERTS * MOST_WIDTH], ones[MOST_ROWS * MOST_WIDTH], zeros[MOST_WIDTH];
    float x[MOST_TOKENS * MOST_WIDTH], y[MOST_TOKENS * MOST_WIDTH];
} code_run;

static uint32_t scale_of(uint32_t row)
{
    return row < 256 ? 0 : 1 + (row - 256) / GROUP;
}

static void fill_matrix(const code_run *run, uint32_t row, unsigned char *matrix, const smoe_weights_layout *layout)
{
    for (uint32_t r = 0; r < places[run->place].rows; r++) {
        const uint32_t code = row + r < 256 ? row + r : some_codes[(row + r) % GROUP];
        const bool nibbles = layout->row_size < run->width;
        memset(matrix + r * layout->row_size, (int)(nibbles ? (code & 15) * 17 : code), (size_t)layout->row_size);
    }
    for (uint64_t i = layout->scales_offset; i < layout->size; i++)
        matrix[i] = (unsigned char)(scales[scale_of(row)].bits >> 8 * (i % 4));
    if (layout->factor_offset) {
        const float factor = FACTOR;
        memset(matrix + layout->factor_offset, 0, (size_t)(layout->size - layout->factor_offset));
        memcpy(matrix + layout->factor_offset, &factor, sizeof factor);
    }
}

static uint32_t row_at(const code_run *run, uint32_t i)
{
    return (run->first + i) % ALL_ROWS;
}

static void fill_matrices(code_run *run)
{
    const uint32_t experts = places[run->place].experts, rows = places[run->place].rows;
    test_random random = test_random_make(test_seed(), 5);
    smoe_weights_layout layout;
    assert_true(smoe_weights_layout_get(run->type, rows, run->width, &layout));
    assert_true(layout.size * experts <= sizeof run->stored);
    for (uint32_t e = 0; e < experts; e++)
        fill_matrix(run, row_at(run, e * rows), run->stored + e * layout.size, &layout);
    test_blocks_read(run->type, experts, rows, run->width, run->stored, run->floats);
    if (run->place == UP_LINEAR)
        test_blocks_fill(run->type, experts, rows, run->width, 1, &random, run->plain, run->plain_floats,
                         run->plain_factors);
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Token t goes to expert t % experts, whose router row has a 1 in an element of its own, `at` + expert. x is 1, but for
 * 2 there; or, where `alone`, 1 in element 0 and there, and else 0. */
static void fill_tokens(code_run *run, uint32_t d_model, uint32_t at, bool alone)
{
    const uint32_t experts = places[run->place].experts;
    memset(run->router, 0, sizeof run->router);
    for (uint32_t e = 0; e < experts; e++)
        run->router[e * d_model + at + e] = 1;
    for (uint32_t t = 0; t < run->tokens; t++)
        for (uint32_t i = 0; i < d_model; i++)
            run->x[t * d_model + i] = (float)((alone ? i == 0 : 1) + (i == at + t % experts));
}

static void run_layer(code_run *run, const smoe_plan_desc *shape, const smoe_host_weights *weights)
{
    smoe_plan_desc plan = *shape;
    smoe_forward_params params = smoe_forward_defaults();
    smoe_device_layer *layer;
    plan.expert_count = places[run->place].experts;
    plan.top_k = 1;
    plan.renormalize = true;
    plan.max_tokens = plan.min_tokens = params.token_count = run->tokens;
    assert_int_equal(smoe_device_layer_create(run->device, &plan, weights, &layer), SMOE_SUCCESS);
    smoe_device_layer **const last = &run->layers[run->place][run->tokens > places[run->place].experts];
    smoe_device_layer_destroy(*last);
    *last = layer;
    assert_int_equal(smoe_device_layer_forward(layer, &params, run->x, run->y, NULL, NULL), SMOE_SUCCESS);
}

/* One hidden element, and w2 of ones: every element of y is the row's product, or that with w1's. */
static void run_up(code_run *run)
{
    const bool linear = run->place == UP_LINEAR;
    const smoe_plan_desc plan = {.d_model = run->width, .d_hidden = 1, .types = {.up = run->type}, .gated = linear};
    const smoe_host_weights weights = {.router_weight = run->router,
                                       .w1 = {linear ? run->plain : run->stored, run->type},
                                       .w3 = {linear ? run->stored : NULL, run->type},
                                       .w2 = {run->ones, SMOE_TYPE_FLOAT32}};
    for (size_t i = 0; i < sizeof run->ones / sizeof run->ones[0]; i++)
        run->ones[i] = 1;
    fill_tokens(run, run->width, 0, false);
    run_layer(run, &plan, &weights);
}

/* Hidden elements of 1, and as many outputs as a matrix has rows. */
static void run_down(code_run *run)
{
    const bool shared = run->place == SHARED_DOWN;
    const smoe_type f32 = SMOE_TYPE_FLOAT32;
    const smoe_plan_desc plan = {.d_model = GROUP,
                                 .d_hidden = shared ? 1 : run->width,
                                 .shared_hidden = shared ? run->width : 0,
                                 .types = {.up = f32,
                                           .down = shared ? f32 : run->type,
                                           .shared_up = f32,
                                           .shared_down = run->type}};
    smoe_host_weights weights = {.router_weight = run->router, .w1 = {run->ones, f32}, .w2 = {run->stored, run->type}};
    if (shared) {
        weights.w1 = weights.w2 = (smoe_host_weight){run->zeros, f32};
        weights.shared_w1 = (smoe_host_weight){run->ones, f32};
        weights.shared_w2 = (smoe_host_weight){run->stored, run->type};
    }
    for (uint32_t i = 0; i < DOWN_EXPERTS * run->width * GROUP; i++)
        run->ones[i] = i % GROUP == 0;
    fill_tokens(run, GROUP, 1, true);
    run_layer(run, &plan, &weights);
}

/* ---- what they must give ----------------------------------------------------------------------------------------- */

typedef struct sum {
    double value, size; /* of the terms, and of their absolute values */
    double normal;      /* of the terms whose weights are no denormal numbers */
} sum;

/* A row with what it was multiplied with. */
static sum product(const code_run *run, const float *row, uint32_t token)
{
    sum all = {0, 0, 0};
    const bool up = run->place == UP || run->place == UP_LINEAR;
    for (uint32_t k = 0; k < run->width; k++) {
        const double term = (double)row[k] * (up && k == token % UP_EXPERTS ? 2 : 1);
        all.value += term;
        all.size += fabs(term);
        all.normal += fabsf(row[k]) < FLT_MIN ? 0 : term;
    }
    all.value = (double)(float)all.value; /* infinite where float32's is */
    return all;
}

static sum times(sum one, double factor)
{
    return (sum){one.value * factor, one.size * fabs(factor), one.normal * factor};
}

static sum want_of(const code_run *run, uint32_t token, uint32_t row)
{
    const double factor = test_block_kind_of(run->type).factor ? (double)FACTOR : 1;
    const sum one = times(product(run, run->floats + (size_t)row * run->width, token), factor);
    if (run->place != UP_LINEAR)
        return one;
    const sum two =
        times(product(run, run->plain_floats + (size_t)row * run->width, token), (double)run->plain_factors[row]);
    return (sum){one.value * two.value, one.size * two.size, one.normal * two.value};
}

/* A device without denormal numbers may take each weight for 0 that is one, not all of a row, since its blocks may have
 * different scales; small: or the scale, and so the whole row. */
static bool is_right(const code_run *run, float got, sum want, bool small)
{
    const double allowed = want.size * run->width * (double)FLT_EPSILON + FLT_MIN;
    if (isnan(want.value))
        return isnan(got);
    if (fabs(want.value) > 1.001 * (double)FLT_MAX)
        return isinf(got) && (got < 0) == (want.value < 0);
    return fabs((double)got - want.value) <= allowed || fabs((double)got - want.normal) <= allowed ||
           (small && fabs((double)got) <= allowed);
}

static void check_rows(const code_run *run)
{
    const uint32_t experts = places[run->place].experts, rows = places[run->place].rows;
    const uint32_t d_model = rows > 1 ? GROUP : run->width;
    for (uint32_t t = 0; t < run->tokens; t++)
        for (uint32_t i = 0; i < rows; i++) {
            const uint32_t at = t % experts * rows + i, row = row_at(run, at);
            const sum want = want_of(run, t, at);
            const float got = run->y[t * d_model + i];
            if (!is_right(run, got, want, scales[scale_of(row)].small))
                fail_msg(
                    "%s as %s, %u tokens: row %u, whose scales are 0x%08x, gives %.9g, not %.9g: SMOE_TEST_SEED=%llu",
                    places[run->place].name, smoe_type_name(run->type), run->tokens, row, scales[scale_of(row)].bits,
                    (double)got, want.value, (unsigned long long)test_seed());
        }
}

static void check_place(code_run *run, uint32_t tokens_each)
{
    const uint32_t layer_rows = places[run->place].experts * places[run->place].rows;
    run->tokens = places[run->place].experts * tokens_each;
    for (run->first = 0; run->first < ALL_ROWS; run->first += layer_rows) {
        fill_matrices(run);
        if (places[run->place].rows > 1)
            run_down(run);
        else
            run_up(run);
        check_rows(run);
    }
}

/* All decode alike, and each compiles a kernel of its own: unless SMOE_TEST_EVERYTHING asks for all, a type has w1 and
 * w2, one for few tokens and the other for many. */
static bool is_wanted(smoe_type type, place where, uint32_t many)
{
    return test_everything() || (where == UP && type % 2 == many) || (where == DOWN && type % 2 != many);
}

static void test_codes(void **state)
{
    code_run *run = test_calloc(1, sizeof *run);
    run->device = ((const test_device *)*state)->device;
    for (run->type = 0; smoe_type_name(run->type); run->type++)
        for (uint32_t i = 0; i < PLACE_COUNT && smoe_type_has_scales(run->type); i++) {
            run->place = (place)i;
            run->width = test_blocks_width(run->type, UP_EXPERTS);
            for (uint32_t many = 0; many < 2; many++)
                if (is_wanted(run->type, run->place, many))
                    check_place(run, many ? MANY : 1);
        }
    for (int i = 0; i < PLACE_COUNT; i++) {
        smoe_device_layer_destroy(run->layers[i][0]);
        smoe_device_layer_destroy(run->layers[i][1]);
    }
    test_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_codes, test_device_check),
        cmocka_unit_test(test_device_closes),
    };
    return cmocka_run_group_tests_name("codes", tests, test_device_setup, test_device_teardown);
}
