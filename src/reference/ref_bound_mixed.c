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
 *   numbers they do not: each is 6.9 standard deviations, and so is the root of the sum of their squares.
 * - Latent experts: latent_down's sum is a row, and its errors are errors of the experts' inputs; they go on as
 *   hidden's do. latent_up's sum is a row again, of the weighted sum of the experts' rows, whose errors add up. */
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

/* What errors of the inputs of a sum come to: they move the inputs, and so what is rounded off them. NULL: 0. */
static double carried_error(bool random, smoe_precision precision, smoe_type type, uint32_t count, const float *weights,
                            const double *input_errors)
{
    double most = 0, squares = 0;

    for (uint32_t k = 0; input_errors && k < count; k++) {
        const double moved = input_errors[k] + ref_narrow_error(precision, input_errors[k]);
        const double error = term_error(precision, ref_weight(type, weights[k]), 0, moved);
        most += error;
        squares += error * error;
    }
    return random ? sqrt(squares) : most;
}

void ref_up_error(const ref_layer *layer, const ref_expert *expert, smoe_precision precision, const double *x,
                  const double *x_errors, double *errors)
{
    const uint32_t D = expert->width;
    const smoe_type up = expert->up;
    const bool random = layer->random_weights;

    for (uint32_t h = 0; h < expert->d_hidden; h++) {
        const float *w1 = expert->w1 + (size_t)h * D, *w3 = layer->gated ? expert->w3 + (size_t)h * D : NULL;
        const double sum = dot(up, D, w1, expert->w1_factor, expert->b1 ? expert->b1 + h : NULL, x);
        const double error = fabs(expert->w1_factor) * (sum_error(!random, precision, up, D, w1, x) +
                                                        carried_error(random, precision, up, D, w1, x_errors));
        const bool squared = expert->gating.activation == SMOE_ACTIVATION_RELU_SQUARED;
        const double slope = squared ? 2 * (fabs(sum) + error) : STEEPEST;
        errors[h] = slope * error;
        if (!layer->gated)
            continue;
        const double gate = dot(up, D, w3, expert->w3_factor, expert->b3 ? expert->b3 + h : NULL, x);
        const double gate_error = fabs(expert->w3_factor) * (sum_error(!random, precision, up, D, w3, x) +
                                                             carried_error(random, precision, up, D, w3, x_errors));
        errors[h] = errors[h] * (fabs(gate) + fabs(expert->gating.up_offset)) +
                    (fabs(ref_activation(&expert->gating, sum)) + errors[h]) * gate_error;
    }
}

void ref_down_error(const ref_layer *layer, const ref_expert *expert, smoe_precision precision, const double *hidden,
                    const double *hidden_errors, double *errors)
{
    const uint32_t H = expert->d_hidden;

    for (uint32_t i = 0; i < expert->width; i++) {
        const float *w2 = expert->w2 + (size_t)i * H;
        errors[i] = fabs(expert->w2_factor) *
                    (sum_error(true, precision, expert->down, H, w2, hidden) +
                     carried_error(layer->random_weights, precision, expert->down, H, w2, hidden_errors));
    }
}

/* Numbers on the way of one token, each with its error. */
typedef struct error_work {
    double *x, *latent, *sum, *hidden, *row; /* [D], [L], [L], [H], [the wider of D and L] */
    double *latent_errors, *sum_errors, *hidden_errors, *row_errors;
} error_work;

/* Adds an expert's weighted row to sum, NULL for nobody's, and its errors to those. seen_errors: NULL: none. */
static bool add_expert(const ref_layer *layer, ref_expert expert, smoe_precision precision, double weight,
                       const double *seen, const double *seen_errors, const error_work *work, double *sum,
                       double *errors)
{
    float *memory[REF_EXPERT_MATRICES];
    const bool good = ref_round_expert(&expert, memory);

    if (good) {
        ref_up(layer, &expert, seen, work->hidden);
        ref_up_error(layer, &expert, precision, seen, seen_errors, work->hidden_errors);
        ref_down_error(layer, &expert, precision, work->hidden, work->hidden_errors, work->row_errors);
    }
    if (good && sum) {
        ref_down(&expert, work->hidden, work->row);
        ref_combine(expert.width, weight, work->row, sum);
    }
    for (uint32_t i = 0; good && i < expert.width; i++)
        errors[i] += fabs(weight) * work->row_errors[i];
    ref_free_expert(memory);
    return good;
}

/* Likewise of a zero expert, whose row is what it sees. */
static void add_zero(const ref_layer *layer, double weight, const double *seen, const double *seen_errors, double *sum,
                     double *errors)
{
    const uint32_t width = ref_expert_width(layer);

    if (sum)
        ref_combine(width, weight, seen, sum);
    for (uint32_t i = 0; seen_errors && i < width; i++)
        errors[i] += fabs(weight) * seen_errors[i];
}

static bool add_routed(const ref_layer *layer, const ref_token *token, smoe_precision precision, const double *seen,
                       const double *seen_errors, const error_work *work, double *sum, double *errors)
{
    bool good = true;

    for (uint32_t r = 0; good && r < token->active; r++)
        if (ref_is_zero_expert(layer, token->ids[r]))
            add_zero(layer, token->output_weights[r], seen, seen_errors, sum, errors);
        else
            good = add_expert(layer, ref_weighted_expert(layer, token->ids[r], token->input_weights[r]), precision,
                              token->output_weights[r], seen, seen_errors, work, sum, errors);
    return good;
}

static bool add_latent(const ref_layer *layer, const ref_token *token, smoe_precision precision, const error_work *work,
                       double *errors)
{
    float *down_memory[REF_EXPERT_MATRICES], *up_memory[REF_EXPERT_MATRICES];
    ref_expert down = ref_latent_down(layer), up = ref_latent_up(layer);
    bool good = ref_round_expert(&down, down_memory);

    if (good) {
        ref_down(&down, work->x, work->latent);
        ref_down_error(layer, &down, precision, work->x, NULL, work->latent_errors);
    }
    good = ref_round_expert(&up, up_memory) && good;
    good = good &&
           add_routed(layer, token, precision, work->latent, work->latent_errors, work, work->sum, work->sum_errors);
    if (good)
        ref_down_error(layer, &up, precision, work->sum, work->sum_errors, errors);
    ref_free_expert(down_memory);
    ref_free_expert(up_memory);
    return good;
}

static bool add_all(const ref_layer *layer, const ref_token *token, smoe_precision precision, const error_work *work,
                    double *errors)
{
    const bool good = layer->d_latent ? add_latent(layer, token, precision, work, errors)
                                      : add_routed(layer, token, precision, work->x, NULL, work, NULL, errors);

    return good &&
           (!layer->shared_hidden || add_expert(layer, ref_shared_expert(layer), precision,
                                                ref_shared_weight(layer, work->x), work->x, NULL, work, NULL, errors));
}

bool ref_forward_error(const ref_layer *layer, const ref_token *token, smoe_precision precision, const float *x,
                       double *errors)
{
    const size_t D = layer->d_model, L = layer->d_latent, wide = D > L ? D : L,
                 H = layer->d_hidden > layer->shared_hidden ? layer->d_hidden : layer->shared_hidden;
    double *memory = calloc(D + 4 * L + 2 * H + 2 * wide, sizeof *memory), *next = memory;

    if (!memory)
        return false;
    error_work work;
    const struct {
        double **place;
        size_t count;
    } parts[] = {{&work.x, D},
                 {&work.latent, L},
                 {&work.latent_errors, L},
                 {&work.sum, L},
                 {&work.sum_errors, L},
                 {&work.hidden, H},
                 {&work.hidden_errors, H},
                 {&work.row, wide},
                 {&work.row_errors, wide}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].place = next;
        next += parts[i].count;
    }
    for (size_t i = 0; i < D; i++) {
        work.x[i] = (double)x[i];
        errors[i] = 0;
    }
    const bool good = add_all(layer, token, precision, &work, errors);
    free(memory);
    return good;
}
