/* How far mixed precision may be from the reference, beyond what float32 is: the inputs of both matrix multiplications
 * of an expert are rounded to 16 bits, and so are weights with scales.
 *
 * - An input's error. Float16: 2^-10 |v|, as Vulkan lets a device round towards zero, or all of it below 2^-14, as
 *   denormal numbers may become 0. Bfloat16: half a unit in the last of 8 places, 2^-8 |v|.
 * - A weight's: none where the type holds it, as it does weights that have no scales, and bfloat16 every product of an
 *   E2M1 and its scale, 6 bits (mxfp4, nvfp4); else as an input's. Float16 below 2^-14 is all of it again.
 * - A sum's: with errors e_k of the inputs v_k and d_k of the weights, sum_k |w_k| e_k + d_k (|v_k| + e_k) at the most,
 *   times its factor. The roundings of different terms are independent, and each is spread evenly over its range or
 *   less: 4 times the root of the sum of squares is 6.9 standard deviations of their sum. Weights of a block that are
 *   equal have the same error, but it is multiplied by different inputs.
 * - A hidden's: through the activation, whose slope is at most 1.13 (gelu; silu's 1.1 is the same with any alpha, as
 *   x sigmoid(alpha x) is silu(alpha x) / alpha), or twice its argument if squared. A gate's other factor multiplies
 *   it, and the other way round. No limit makes two numbers differ by more than they did, nor either larger; an offset
 *   adds its size to a factor.
 * - A row's: as a sum's. The errors of hidden come from the same x, and may all add up. With weights that are random
 *   numbers they do not: each is 6.9 standard deviations, and so is the root of the sum of their squares. */
#include <math.h>
#include <stdlib.h>

#include "ref.h"
#include "ref_scaled.h"
#include "ref_weight.h"

#define STEEPEST 1.13

double ref_narrow_error(smoe_precision precision, double v)
{
    if (precision == SMOE_PRECISION_FLOAT16)
        return fabs(v) < 0x1p-14 ? fabs(v) : 0x1p-10 * fabs(v);
    return precision == SMOE_PRECISION_BFLOAT16 ? 0x1p-8 * fabs(v) : 0;
}

static double weight_error(smoe_precision precision, double w)
{
    const bool half = precision == SMOE_PRECISION_FLOAT16;
    const bool held = ref_weight(half ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16, (float)w) == w;

    return held && !(half && fabs(w) < 0x1p-14) ? 0 : ref_narrow_error(precision, w);
}

/* How far a weight's product is off. input: the size of one that is off by `error`, and that a device rounds. */
static double term_error(smoe_precision precision, double weight, double input, double error)
{
    return fabs(weight) * error + weight_error(precision, weight) * (input + error);
}

/* few: a sum of few terms, or of one that is larger than the rest, has no more standard deviations than that. */
static double sum_error(bool few, smoe_precision precision, smoe_type type, uint32_t count, const float *weights,
                        const double *inputs)
{
    double most = 0, squares = 0;

    for (uint32_t k = 0; k < count; k++) {
        const double error = term_error(precision, ref_weight(type, weights[k]), fabs(inputs[k]),
                                        ref_narrow_error(precision, inputs[k]));
        most += error;
        squares += error * error;
    }
    return few ? fmin(most, 4 * sqrt(squares)) : 4 * sqrt(squares);
}

static double dot(smoe_type type, uint32_t count, const float *weights, double factor, const float *bias,
                  const double *inputs)
{
    double sum = 0;

    for (uint32_t k = 0; k < count; k++)
        sum += ref_weight(type, weights[k]) * inputs[k];
    return factor * sum + (bias ? (double)*bias : 0);
}

void ref_up_error(const ref_layer *layer, const ref_expert *expert, smoe_precision precision, const double *x,
                  double *errors)
{
    const uint32_t D = layer->d_model;
    const smoe_type up = expert->up;
    const bool few = !layer->random_weights;

    for (uint32_t h = 0; h < expert->d_hidden; h++) {
        const float *w1 = expert->w1 + (size_t)h * D, *w3 = layer->gated ? expert->w3 + (size_t)h * D : NULL;
        const double sum = dot(up, D, w1, expert->w1_factor, expert->b1 ? expert->b1 + h : NULL, x);
        const double error = fabs(expert->w1_factor) * sum_error(few, precision, up, D, w1, x);
        const bool squared = expert->gating.activation == SMOE_ACTIVATION_RELU_SQUARED;
        const double slope = squared ? 2 * (fabs(sum) + error) : STEEPEST;
        errors[h] = slope * error;
        if (!layer->gated)
            continue;
        const double gate = dot(up, D, w3, expert->w3_factor, expert->b3 ? expert->b3 + h : NULL, x);
        const double gate_error = fabs(expert->w3_factor) * sum_error(few, precision, up, D, w3, x);
        errors[h] = errors[h] * (fabs(gate) + fabs(expert->gating.up_offset)) +
                    (fabs(ref_activation(&expert->gating, sum)) + errors[h]) * gate_error;
    }
}

void ref_down_error(const ref_layer *layer, const ref_expert *expert, smoe_precision precision, const double *hidden,
                    const double *hidden_errors, double *errors)
{
    const uint32_t H = expert->d_hidden;

    for (uint32_t i = 0; i < layer->d_model; i++) {
        const float *w2 = expert->w2 + (size_t)i * H;
        double most = 0, squares = 0;
        for (uint32_t h = 0; hidden_errors && h < H; h++) { /* moves hidden, and so what is rounded off it */
            const double moved = hidden_errors[h] + ref_narrow_error(precision, hidden_errors[h]);
            const double error = term_error(precision, ref_weight(expert->down, w2[h]), 0, moved);
            most += error;
            squares += error * error;
        }
        errors[i] = fabs(expert->w2_factor) * (sum_error(true, precision, expert->down, H, w2, hidden) +
                                               (layer->random_weights ? sqrt(squares) : most));
    }
}

static bool add_expert(const ref_layer *layer, ref_expert expert, smoe_precision precision, double weight,
                       const double *x, double *work, double *errors)
{
    const uint32_t D = layer->d_model, H = expert.d_hidden;
    double *hidden = work, *hidden_errors = work + H, *row_errors = work + 2 * (size_t)H;
    float *memory[REF_EXPERT_MATRICES];
    const bool good = ref_round_expert(D, &expert, memory);

    if (good) {
        ref_up(layer, &expert, x, hidden);
        ref_up_error(layer, &expert, precision, x, hidden_errors);
        ref_down_error(layer, &expert, precision, hidden, hidden_errors, row_errors);
    }
    for (uint32_t i = 0; good && i < D; i++)
        errors[i] += fabs(weight) * row_errors[i];
    ref_free_expert(memory);
    return good;
}

bool ref_forward_error(const ref_layer *layer, const ref_token *token, smoe_precision precision, const float *x,
                       double *errors)
{
    const size_t D = layer->d_model,
                 H = layer->d_hidden > layer->shared_hidden ? layer->d_hidden : layer->shared_hidden;
    double *wide = malloc((2 * D + 2 * H) * sizeof *wide);

    if (!wide)
        return false;
    for (size_t i = 0; i < D; i++) {
        wide[i] = (double)x[i];
        errors[i] = 0;
    }
    bool good = true;
    for (uint32_t r = 0; good && r < token->active; r++)
        good = add_expert(layer, ref_expert_at(layer, token->ids[r]), precision, token->weights[r], wide, wide + D,
                          errors);
    if (good && layer->shared_hidden)
        good = add_expert(layer, ref_shared_expert(layer), precision, ref_shared_weight(layer, wide), wide, wide + D,
                          errors);
    free(wide);
    return good;
}
