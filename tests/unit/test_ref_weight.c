/* The reference's rounding of weights to 16 bits: every number of either type, the floats between and beside them, and
 * random ones, against the tests' own conversions; and that each matrix of a layer is rounded by its own type. */
#include <math.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/half.h"
#include "common/random.h"
#include "reference/ref.h"
#include "reference/ref_weight.h"

enum { D = 5, H = 7, E = 3, S = 4, NUMBERS = 3 * E * D * H };

static void check_weight(smoe_type type, float value)
{
    const double got = ref_weight(type, value),
                 want = (double)test_narrow_to_float(type, test_narrow_from_float(type, value));
    const bool good = isnan(want) ? isnan(got) : got == want && signbit(got) == signbit(want);

    if (!good)
        print_error("%a to type %d: got %a, want %a\n", (double)value, (int)type, got, want);
    assert_true(good);
}

static void check_type(smoe_type type)
{
    test_random random = test_random_make(test_seed(), (uint64_t)type);

    for (uint32_t bits = 0; bits < 0x10000u; bits++) {
        const float value = test_narrow_to_float(type, (uint16_t)bits);
        const float next = test_narrow_to_float(type, (uint16_t)(bits + 1));
        check_weight(type, value);
        if (!isfinite(value) || isnan(next))
            continue;
        const float middle = isinf(next) ? value * 1.001f : value + (next - value) / 2;
        check_weight(type, middle);
        check_weight(type, nextafterf(middle, INFINITY));
        check_weight(type, nextafterf(middle, -INFINITY));
    }
    for (int i = 0; i < 1000000; i++) {
        const uint32_t bits = (uint32_t)test_random_bits(&random);
        float value;
        memcpy(&value, &bits, sizeof value);
        check_weight(type, value);
    }
}

static void test_float16(void **state)
{
    (void)state;
    check_type(SMOE_TYPE_FLOAT16);
    check_weight(SMOE_TYPE_FLOAT16, 65520.0f); /* the first that rounds to infinity, and the last that does not */
    check_weight(SMOE_TYPE_FLOAT16, nextafterf(65520.0f, 0));
}

static void test_bfloat16(void **state)
{
    (void)state;
    check_type(SMOE_TYPE_BFLOAT16);
    check_weight(SMOE_TYPE_BFLOAT16, 0x1.ffp127f); /* likewise */
    check_weight(SMOE_TYPE_BFLOAT16, nextafterf(0x1.ffp127f, 0));
}

static void test_float32_is_left_alone(void **state)
{
    const float values[] = {0, 1, -0x1.234566p-3f, 0x1p-149f, 3e38f};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(ref_weight(SMOE_TYPE_FLOAT32, values[i]) == (double)values[i]);
}

static ref_layer layer_of(const float *up, const float *down, const float *shared_up, const float *shared_down,
                          const float *router)
{
    const smoe_plan_desc plan = {.d_model = D,
                                 .d_hidden = H,
                                 .expert_count = E,
                                 .top_k = 2,
                                 .gated = true,
                                 .activation = SMOE_ACTIVATION_SILU,
                                 .shared_hidden = S,
                                 .renormalize = true,
                                 .shared_gate = true};
    const smoe_host_weights weights = {.router_weight = router,
                                       .shared_gate = router,
                                       .w1 = {up, SMOE_TYPE_FLOAT32},
                                       .w3 = {up + E * D * H, SMOE_TYPE_FLOAT32},
                                       .w2 = {down, SMOE_TYPE_FLOAT32},
                                       .shared_w1 = {shared_up, SMOE_TYPE_FLOAT32},
                                       .shared_w3 = {shared_up + S * D, SMOE_TYPE_FLOAT32},
                                       .shared_w2 = {shared_down, SMOE_TYPE_FLOAT32}};
    return ref_layer_of(&plan, &weights);
}

/* y, then what mixed precision may change in it. */
static void run_layer(const ref_layer *layer, const float *x, double y[2 * D])
{
    const ref_params params = {.max_active = 2, .temperature = 1, .scale = 1};
    ref_token token;
    double logits[E];

    assert_true(ref_forward(layer, &params, x, logits, &token, y));
    assert_true(ref_forward_error(layer, &token, SMOE_PRECISION_FLOAT16, x, y + D));
}

/* A layer that rounds one kind of matrix as it reads it is the layer of that kind rounded before, bit for bit, and not
 * the layer of what was not rounded. */
static void test_each_matrix_has_its_type(void **state)
{
    test_random random = test_random_make(test_seed(), 3);
    float raw[NUMBERS], rounded[NUMBERS], x[D];

    (void)state;
    for (uint32_t kind = 0; kind < 8; kind++) { /* one of the four types of matrices, float16 or bfloat16 */
        const smoe_type type = kind % 2 ? SMOE_TYPE_BFLOAT16 : SMOE_TYPE_FLOAT16;
        for (int i = 0; i < NUMBERS; i++) {
            raw[i] = test_random_uniform(&random, -1, 1);
            rounded[i] = test_narrow_to_float(type, test_narrow_from_float(type, raw[i]));
        }
        for (int i = 0; i < D; i++)
            x[i] = test_random_uniform(&random, -1, 1);
        const float *one[4] = {raw, raw, raw, raw};
        one[kind / 2] = rounded;
        const ref_layer before = layer_of(one[0], one[1], one[2], one[3], raw);
        ref_layer reading = layer_of(raw, raw, raw, raw, raw);
        double y[2 * D], want[2 * D], plain[2 * D];
        run_layer(&reading, x, plain);
        *(smoe_type *[]){&reading.types.up, &reading.types.down, &reading.types.shared_up,
                         &reading.types.shared_down}[kind / 2] = type;
        run_layer(&reading, x, y);
        run_layer(&before, x, want);
        assert_memory_equal(y, want, sizeof y);
        assert_memory_not_equal(y, plain, D * sizeof *y);
        assert_memory_not_equal(y + D, plain + D, D * sizeof *y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float16),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_float32_is_left_alone),
        cmocka_unit_test(test_each_matrix_has_its_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
