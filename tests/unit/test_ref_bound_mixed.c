/* What mixed precision may change, beside what it does change: layers of random weights whose inputs are rounded to 16
 * bits before both multiplications, to nearest and, as Vulkan lets a device convert to float16, towards zero; and so
 * are the weights, where they had scales. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/half.h"
#include "common/random.h"
#include "reference/ref.h"

enum { D = 96, H = 256, LAYERS = 24 };

typedef struct rounding {
    smoe_type type;
    bool to_zero, weights; /* weights: theirs too, else they are of the type already */
} rounding;

static float w1[H * D], w3[H * D], w2[D * H], b1[H], b3[H], b2[D];
static float narrow_w1[H * D], narrow_w3[H * D], narrow_w2[D * H]; /* rounded */

static void fill(test_random *random, float *values, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        values[i] = test_random_uniform(random, -limit, limit);
}

static double narrow(rounding how, double v)
{
    const uint16_t bits = test_narrow_from_float(how.type, (float)v);
    const double nearest = (double)test_narrow_to_float(how.type, bits);

    return how.to_zero && fabs(nearest) > fabs(v) ? (double)test_narrow_to_float(how.type, (uint16_t)(bits - 1))
                                                  : nearest;
}

static void narrow_all(rounding how, const float *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (float)narrow(how, (double)from[i]);
}

/* The row of the expert, with its inputs and weights rounded where that is asked for. */
static void run_expert(const ref_layer *layer, rounding how, bool round_x, bool round_hidden, const double *x,
                       double *row)
{
    ref_expert expert = ref_expert_at(layer, 0);
    double inputs[D], hidden[H];

    expert.w1 = round_x ? narrow_w1 : w1;
    expert.w3 = round_x ? narrow_w3 : w3;
    expert.w2 = round_hidden ? narrow_w2 : w2;

    for (int i = 0; i < D; i++)
        inputs[i] = round_x ? narrow(how, x[i]) : x[i];
    ref_up(layer, &expert, inputs, hidden);
    for (int h = 0; round_hidden && h < H; h++)
        hidden[h] = narrow(how, hidden[h]);
    ref_down(&expert, hidden, row);
}

/* The largest share of what is allowed: of both multiplications' roundings, and of the first one's only. */
static double share_of(ref_layer *layer, rounding how, const double *x, bool random_weights)
{
    const ref_expert expert = ref_expert_at(layer, 0);
    double row[D], both[D], first[D], hidden[H], hidden_errors[H], errors[D], second_errors[D], share = 0;

    layer->random_weights = random_weights;
    run_expert(layer, how, false, false, x, row);
    run_expert(layer, how, true, false, x, first);
    run_expert(layer, how, true, true, x, both);
    ref_up(layer, &expert, x, hidden);
    ref_up_error(layer, &expert, smoe_type_precision(how.type), x, NULL, hidden_errors);
    ref_down_error(layer, &expert, smoe_type_precision(how.type), hidden, hidden_errors, errors);
    ref_down_error(layer, &expert, smoe_type_precision(how.type), hidden, NULL, second_errors);
    for (int i = 0; i < D; i++) {
        share = fmax(share, fabs(both[i] - row[i]) / errors[i]);
        share = fmax(share, fabs(first[i] - row[i]) / (errors[i] - second_errors[i]));
    }
    return share;
}

/* Random weights stay within their bound, at a part of it that shows it is near; the bound for any weights is wider. */
static void check_rounding(rounding how)
{
    test_random random = test_random_make(test_seed(), (uint64_t)how.type * 2 + how.to_zero);
    double largest = 0;

    for (int i = 0; i < LAYERS; i++) {
        const smoe_activation activation = (smoe_activation)(i / 2 % SMOE_ACTIVATION_SWIGLU_CLAMPED);
        const bool gated = i % 2, limited = gated && i > LAYERS / 2; /* its limits are within what sums reach */
        ref_layer layer = {.d_model = D,
                           .d_hidden = H,
                           .expert_count = 1,
                           .top_k = 1,
                           .gating = limited ? (ref_gating){activation, 0.5, 0.4, 0.3, 1.702, 1}
                                             : (ref_gating){.activation = activation},
                           .gated = gated,
                           .w1 = w1,
                           .b1 = b1,
                           .w3 = w3,
                           .b3 = b3,
                           .w2 = w2,
                           .b2 = b2};
        float factors[3];
        double x[D];
        fill(&random, factors, 3, 2);
        layer.factors = (ref_factors){.w1 = &factors[0], .w3 = &factors[1], .w2 = &factors[2]};
        fill(&random, w1, H * D, 1 / sqrtf(D));
        fill(&random, w3, H * D, 1 / sqrtf(D));
        fill(&random, w2, D * H, 1 / sqrtf(H));
        fill(&random, b1, H, 1 / sqrtf(D));
        fill(&random, b3, H, 1 / sqrtf(D));
        fill(&random, b2, D, 1 / sqrtf(H));
        narrow_all(how, w1, narrow_w1, H * D);
        narrow_all(how, w3, narrow_w3, H * D);
        narrow_all(how, w2, narrow_w2, D * H);
        if (!how.weights) {
            memcpy(w1, narrow_w1, sizeof w1);
            memcpy(w3, narrow_w3, sizeof w3);
            memcpy(w2, narrow_w2, sizeof w2);
        }
        for (int d = 0; d < D; d++)
            x[d] = (double)test_random_uniform(&random, -1, 1);
        const double share = share_of(&layer, how, x, true), of_any = share_of(&layer, how, x, false);
        if (share > 1)
            print_error("type %d, activation %d, gated %d, limited %d: %g of what is allowed\n", (int)how.type,
                        (int)activation, layer.gated, limited, share);
        assert_true(share <= 1 && of_any < share);
        largest = fmax(largest, share);
    }
    print_message("    type %d, %s: %.3g of what is allowed\n", (int)how.type, how.weights ? "weights too" : "inputs",
                  largest);
    assert_true(largest > 0.04);
}

static void test_random_weights(void **state)
{
    const rounding ways[] = {{SMOE_TYPE_FLOAT16, false, false},  {SMOE_TYPE_FLOAT16, true, false},
                             {SMOE_TYPE_BFLOAT16, false, false}, {SMOE_TYPE_FLOAT16, false, true},
                             {SMOE_TYPE_FLOAT16, true, true},    {SMOE_TYPE_BFLOAT16, false, true}};

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        check_rounding(ways[i]);
}

/* A sum of one product, of numbers that are half way between two of the type's: off by the error of both where the
 * weight is rounded too, and only by the input's where the type holds the weight. */
static void test_one_product(void **state)
{
    static const struct {
        smoe_precision precision;
        double step, odd, held; /* odd: just above half a step from 1 */
    } rows[] = {{SMOE_PRECISION_BFLOAT16, 0x1p-7, 1 + 0x1.01p-8, 1.5},
                {SMOE_PRECISION_FLOAT16, 0x1p-10, 1 + 0x1.01p-11, 1.5}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const float odd = (float)rows[i].odd, held = (float)rows[i].held;
        const ref_layer layer = {.d_model = 1, .d_hidden = 1};
        const ref_expert both = {.width = 1, .d_hidden = 1, .w2_factor = 1, .w2 = &odd},
                         one = {.width = 1, .d_hidden = 1, .w2_factor = 1, .w2 = &held};
        const double up = 1 + rows[i].step, two_errors = up * up - rows[i].odd * rows[i].odd;
        const double one_error = (up - rows[i].odd) * rows[i].held,
                     least = rows[i].precision == SMOE_PRECISION_FLOAT16 ? 2 : 1;
        double allowed;
        ref_down_error(&layer, &both, rows[i].precision, &rows[i].odd, NULL, &allowed);
        assert_true(two_errors <= allowed && allowed < 1.1 * least * two_errors);
        ref_down_error(&layer, &one, rows[i].precision, &rows[i].odd, NULL, &allowed);
        assert_true(one_error <= allowed && allowed < 1.1 * least * one_error);
    }
}

/* Vulkan lets a device take float16's denormal numbers for 0, also where float16 holds them. */
static void test_denormal_weights(void **state)
{
    static const float weights[] = {0x1p-14f, 0x1p-15f};
    const double input = 1;
    double allowed;

    (void)state;
    for (int i = 0; i < 4; i++) {
        const smoe_precision precision = i % 2 ? SMOE_PRECISION_BFLOAT16 : SMOE_PRECISION_FLOAT16;
        const ref_layer layer = {.d_model = 1, .d_hidden = 1};
        const ref_expert expert = {.width = 1, .d_hidden = 1, .w2_factor = 1, .w2 = &weights[i / 2]};
        ref_down_error(&layer, &expert, precision, &input, NULL, &allowed);
        assert_true((allowed >= (double)weights[i / 2]) == (i == 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_weights), cmocka_unit_test(test_one_product),
                                       cmocka_unit_test(test_denormal_weights)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
