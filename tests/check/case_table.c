#include "cases.h"

#define SHAPE(name_, T, D, H, E, k) .name = name_, .tokens = T, .d_model = D, .d_hidden = H, .expert_count = E, .top_k = k
/* One shape for everything that only changes values from call to call: it compiles once. */
#define COMMON(name_, T) SHAPE(name_, T, 24, 31, 16, 2), .max_tokens = 48, ACT(GELU)
#define MANY(name_, T) SHAPE(name_, T, 16, 8, 1024, 8), .max_tokens = 33, .max_active = 24, ACT(SILU), GATED
#define LOGITS(kind) .logits = LOGITS_##kind
#define TIED(count) LOGITS(TIED), .tied_experts = count
#define ACT(kind) .activation = SMOE_ACTIVATION_##kind
#define BAND(eps_, A) .eps = eps_, .max_active = A
#define HALF .weight_type = SMOE_TYPE_FLOAT16
#define GATED .gated = true
#define ALL_BIASES .biases = BIAS_ALL

/* Widths and counts are primes, powers of two, and one more and one less than what tiles and subgroups measure. */
const layer_case layer_cases[] = {
    /* sizes */
    {SHAPE("one of everything", 1, 1, 1, 1, 1), ALL_BIASES},
    {SHAPE("one of everything, gated, half", 1, 1, 1, 1, 1), ACT(SILU), GATED, HALF, ALL_BIASES},
    {SHAPE("two tokens, D and H prime", 2, 2, 3, 2, 1), ACT(RELU), LOGITS(EXACT)},
    {SHAPE("three tokens, D 5, H 7", 3, 5, 7, 3, 2), ACT(GELU), ALL_BIASES},
    {SHAPE("four tokens, D 7, H 13", 4, 7, 13, 5, 3), ACT(GELU_TANH), GATED, LOGITS(EXACT)},
    {SHAPE("five tokens, H 1", 5, 64, 1, 7, 2), ACT(SILU), ALL_BIASES, HALF},
    {SHAPE("six tokens, D 1", 6, 1, 64, 13, 2), ACT(GELU), LOGITS(EXACT), ALL_BIASES},
    {SHAPE("seven tokens, 31 and 33", 7, 31, 33, 31, 5), ACT(SILU), GATED, ALL_BIASES},
    {SHAPE("eight tokens, 37 and 53", 8, 37, 53, 8, 8), ACT(RELU), LOGITS(EXACT), BAND(0.5f, 8)},
    {SHAPE("nine tokens, 63 and 65", 9, 63, 65, 9, 2), ACT(GELU), ALL_BIASES, HALF},
    {SHAPE("one token, 127 and 129", 1, 127, 129, 16, 4), ACT(SILU), GATED, LOGITS(EXACT)},
    {SHAPE("one token, 256 and 256, half", 1, 256, 256, 8, 2), ACT(SILU), GATED, HALF},
    {SHAPE("two tokens, 255 and 257, half", 2, 255, 257, 5, 2), ACT(GELU), HALF, ALL_BIASES, LOGITS(EXACT)},
    {SHAPE("32 tokens, 128 and 64", 32, 128, 64, 4, 2), ACT(SILU), GATED, LOGITS(EXACT)},
    {SHAPE("31 of 33 tokens, 129 and 127, half", 31, 129, 127, 3, 2), .max_tokens = 33, ACT(GELU_TANH), HALF, ALL_BIASES},
    {SHAPE("33 tokens, 129 and 127, half", 33, 129, 127, 3, 2), .max_tokens = 33, ACT(GELU_TANH), HALF, ALL_BIASES, LOGITS(EXACT)},
    {SHAPE("33 tokens, 257 and 255", 33, 257, 255, 2, 1), ACT(SILU), GATED, ALL_BIASES, LOGITS(EXACT)},
    {SHAPE("63 of 65 tokens, one expert, half", 63, 65, 129, 1, 1), .max_tokens = 65, ACT(GELU), HALF, .tie_tolerance = 1},
    {SHAPE("65 tokens, one expert, half", 65, 65, 129, 1, 1), .max_tokens = 65, ACT(GELU), HALF, BAND(0.5f, 1)},
    {SHAPE("129 tokens, 2 experts", 129, 33, 65, 2, 1), ACT(IDENTITY), .biases = BIAS_2, LOGITS(EXACT)},
    {SHAPE("129 tokens, ties of order 1", 129, 33, 65, 2, 1), ACT(IDENTITY), .biases = BIAS_1, TIED(2)},
    {SHAPE("128 tokens, ties of order 1, band", 128, 33, 65, 2, 1), .max_tokens = 129, ACT(IDENTITY), TIED(2), .eps = 0.25f},
    {SHAPE("197 tokens, half", 197, 64, 128, 6, 2), ACT(GELU), HALF, ALL_BIASES},
    {SHAPE("197 tokens, gated", 197, 53, 37, 6, 2), ACT(SILU), GATED, .biases = BIAS_3},
    {SHAPE("257 tokens, bias of the gate", 257, 7, 13, 5, 1), ACT(SILU), GATED, .biases = BIAS_ROUTER | BIAS_3, LOGITS(EXACT)},
    {SHAPE("8192 tokens", 8192, 5, 7, 3, 1), ACT(RELU), LOGITS(EXACT), BAND(0.5f, 2)},
    /* experts */
    {SHAPE("1024 experts, k 1", 5, 31, 3, 1024, 1), ACT(GELU), BAND(0, 1)},
    {SHAPE("1023 experts, all of them", 2, 3, 2, 1023, 1023), ACT(RELU), LOGITS(EXACT)},
    {SHAPE("1024 experts, all in the band", 3, 2, 3, 1024, 1), ACT(RELU), LOGITS(EXACT), BAND(100, 1024)},
    {SHAPE("257 experts", 37, 24, 12, 257, 8), ACT(SILU), GATED, BAND(0.05f, 16), ALL_BIASES},
    {SHAPE("127 experts, k 64", 3, 8, 5, 127, 64), ACT(GELU), LOGITS(EXACT), BAND(0.25f, 127)},
    {SHAPE("128 experts, ties of order 63", 5, 16, 8, 128, 33), ACT(RELU), TIED(64), BAND(1, 70)},
    {MANY("1024 experts, band", 33), LOGITS(EXACT), .eps = 0.3f},
    {MANY("1024 equal experts", 2), LOGITS(EQUAL), .eps = 0.5f, ALL_BIASES},
    {MANY("1024 experts, a non-finite token", 1), LOGITS(NONFINITE), .eps = 1},
    /* the band */
    {COMMON("hard", 48), ALL_BIASES},
    {COMMON("band, A = E", 47), .eps = 0.5f, ALL_BIASES},
    {COMMON("band, exact", 48), .eps = 0.5f, LOGITS(EXACT)},
    {COMMON("band, A = k", 33), .eps = 2, .call_active = 2, ALL_BIASES},
    {COMMON("band, capped", 48), .eps = 4, .call_active = 5, ALL_BIASES},
    {COMMON("band, capped, exact", 9), .eps = 4, .call_active = 3, LOGITS(EXACT)},
    {COMMON("band, huge", 9), .eps = 1e30f, LOGITS(EXACT)},
    {COMMON("band, tiny", 33), .eps = 1e-30f, LOGITS(EXACT)},
    {COMMON("band, a 2 b 2", 40), .eps = 1, .a = 2, .b = 2, ALL_BIASES},
    {COMMON("band, a 1 b 1", 40), .eps = 1, .a = 1, .b = 1, LOGITS(EXACT)},
    {COMMON("band, a 0.5 b 3", 40), .eps = 1, .a = 0.5f, .b = 3, LOGITS(EXACT)},
    {COMMON("band, both powers underflow", 40), .eps = 2, .a = 1024, .b = 1024, LOGITS(EXACT)},
    {COMMON("band, no whole exponents", 40), .eps = 2, .a = 1.75f, .b = 33.3f, LOGITS(EXACT)},
    {SHAPE("band, gated, half", 40, 64, 64, 16, 4), ACT(SILU), GATED, HALF, BAND(1.5f, 12), ALL_BIASES},
    /* weights */
    {COMMON("softmax kept", 21), .eps = 0.4f, .keep_softmax = true, ALL_BIASES},
    {COMMON("softmax kept, hard, scaled", 21), .keep_softmax = true, .scale = 2.5f, LOGITS(EXACT)},
    {COMMON("softmax kept, large logits", 19), .keep_softmax = true, LOGITS(LARGE)},
    {COMMON("cold", 21), .eps = 0.4f, .temperature = 0.25f, LOGITS(EXACT)},
    {COMMON("hot, scaled down", 21), .eps = 0.4f, .temperature = 7, .scale = -0.5f, ALL_BIASES},
    {COMMON("coldest", 21), .eps = 0.4f, .temperature = 1e-30f, LOGITS(EXACT)},
    {COMMON("hottest", 21), .eps = 0.4f, .temperature = 1e30f, .keep_softmax = true, LOGITS(EXACT)},
    {COMMON("large logits", 19), .eps = 200, LOGITS(LARGE), ALL_BIASES},
    /* ties */
    {COMMON("ties of order 2, hard", 24), TIED(3), ALL_BIASES},
    {COMMON("ties of order 2, band", 24), TIED(3), .eps = 0.25f, .call_active = 5, ALL_BIASES},
    {COMMON("ties of order 3", 24), TIED(4), .eps = 0.5f},
    {COMMON("ties of order 4", 24), TIED(5), .eps = 0.5f, .keep_softmax = true},
    {COMMON("ties of order 6, across the cap", 24), TIED(7), .eps = 1, .call_active = 6, ALL_BIASES},
    {COMMON("ties of order 7", 24), TIED(8), .eps = 1},
    {COMMON("ties within a tolerance", 24), LOGITS(EXACT), .eps = 0.25f, .tie_tolerance = 0.125f},
    {COMMON("ties within a wide tolerance", 9), LOGITS(EXACT), .tie_tolerance = 3},
    {COMMON("all equal, hard", 3), LOGITS(EQUAL), ALL_BIASES},
    {COMMON("all equal, band", 3), LOGITS(EQUAL), .eps = 0.5f, ALL_BIASES},
    {COMMON("all equal, capped", 3), LOGITS(EQUAL), .eps = 0.5f, .call_active = 4},
    /* bad tokens */
    {COMMON("non-finite tokens", 38), LOGITS(NONFINITE), .eps = 0.5f, .call_active = 4, ALL_BIASES},
    {COMMON("non-finite tokens, softmax kept", 4), LOGITS(NONFINITE), .keep_softmax = true},
};

const uint32_t layer_case_count = sizeof layer_cases / sizeof layer_cases[0];
