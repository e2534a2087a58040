#include "ref.h"

#include <math.h>
#include <stdlib.h>

#include "ref_scaled.h"
#include "ref_weight.h"

/* A limit of 0 is none, an alpha of 0 is 1. A comparison with NaN is false: it stays. */
static double at_most(double x, double limit)
{
    return limit != 0 && x > limit ? limit : x;
}

double ref_activation(const ref_gating *gating, double x)
{
    const double alpha = gating->alpha != 0 ? gating->alpha : 1;

    x = at_most(x, gating->gate_max);
    switch (gating->activation) {
    case SMOE_ACTIVATION_IDENTITY: break;
    case SMOE_ACTIVATION_RELU: x = x > 0 ? x : 0; break;
    case SMOE_ACTIVATION_GELU: x = x / 2 * (1 + erf(x / sqrt(2.0))); break;
    case SMOE_ACTIVATION_GELU_TANH: x = x / 2 * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x))); break;
    case SMOE_ACTIVATION_SILU: x = x / (1 + exp(-alpha * x)); break;
    case SMOE_ACTIVATION_RELU_SQUARED: x = x > 0 ? x * x : 0; break;
    case SMOE_ACTIVATION_SWIGLU_CLAMPED: /* ref_gating_of has silu for it */ x = NAN;
    }
    return at_most(x, gating->gate_limit_after);
}

double ref_gated(const ref_gating *gating, double x, double linear)
{
    linear = -at_most(-at_most(linear, gating->up_limit), gating->up_limit);
    return ref_activation(gating, x) * (linear + gating->up_offset);
}

/* out[rows] = factor * matrix[rows,columns] x + bias[rows] */
static void affine(smoe_type type, uint32_t rows, uint32_t columns, const float *matrix, double factor,
                   const float *bias, const double *x, double *out)
{
    for (uint32_t r = 0; r < rows; r++) {
        const float *m = matrix + (size_t)r * columns;
        double sum = 0;
        for (uint32_t c = 0; c < columns; c++)
            sum += ref_weight(type, m[c]) * x[c];
        out[r] = factor * sum + (bias ? (double)bias[r] : 0.0);
    }
}

static const float *part_of(const float *values, uint32_t expert, size_t size)
{
    return values ? values + expert * size : NULL;
}

/* An expert's matrix [rows,columns] of those of `type`. */
static const float *matrix_of(const float *all, bool stored, smoe_type type, uint32_t expert, uint32_t rows,
                              uint32_t columns)
{
    if (!all || !stored)
        return part_of(all, expert, (size_t)rows * columns);
    const void *const one = (const char *)all + (size_t)smoe_weights_size(type, expert, rows, columns);
    return one;
}

static double factor_of(const float *factors, uint32_t expert)
{
    return factors ? (double)factors[expert] : 1;
}

uint32_t ref_expert_width(const ref_layer *layer)
{
    return layer->d_latent ? layer->d_latent : layer->d_model;
}

ref_expert ref_expert_at(const ref_layer *layer, uint32_t expert)
{
    const uint32_t L = ref_expert_width(layer), H = layer->d_hidden;
    const smoe_type up = layer->types.up, down = layer->types.down;
    const bool stored_up = smoe_type_has_scales(layer->given.up), stored_down = smoe_type_has_scales(layer->given.down);

    return (ref_expert){
        .width = L,
        .d_hidden = H,
        .gating = layer->gating,
        .up = up,
        .down = down,
        .stored_up = stored_up,
        .stored_down = stored_down,
        .w1 = matrix_of(layer->w1, stored_up, up, expert, H, L),
        .b1 = part_of(layer->b1, expert, H),
        .w3 = matrix_of(layer->w3, stored_up, up, expert, H, L),
        .b3 = part_of(layer->b3, expert, H),
        .w2 = matrix_of(layer->w2, stored_down, down, expert, L, H),
        .b2 = part_of(layer->b2, expert, L),
        .w1_factor = factor_of(layer->factors.w1, expert),
        .w3_factor = factor_of(layer->factors.w3, expert),
        .w2_factor = factor_of(layer->factors.w2, expert),
    };
}

bool ref_is_zero_expert(const ref_layer *layer, uint32_t expert)
{
    return expert >= layer->expert_count - layer->zero_experts;
}

ref_expert ref_weighted_expert(const ref_layer *layer, uint32_t expert, double input_weight)
{
    ref_expert weighted = ref_expert_at(layer, expert);

    weighted.w1_factor *= input_weight;
    weighted.w3_factor *= input_weight;
    return weighted;
}

ref_expert ref_shared_expert(const ref_layer *layer)
{
    return (ref_expert){
        .width = layer->d_model,
        .d_hidden = layer->shared_hidden,
        .gating = layer->shared_gating,
        .up = layer->types.shared_up,
        .down = layer->types.shared_down,
        .stored_up = smoe_type_has_scales(layer->given.shared_up),
        .stored_down = smoe_type_has_scales(layer->given.shared_down),
        .w1 = layer->shared_w1,
        .b1 = layer->shared_b1,
        .w3 = layer->shared_w3,
        .b3 = layer->shared_b3,
        .w2 = layer->shared_w2,
        .b2 = layer->shared_b2,
        .w1_factor = factor_of(layer->factors.shared_w1, 0),
        .w3_factor = factor_of(layer->factors.shared_w3, 0),
        .w2_factor = factor_of(layer->factors.shared_w2, 0),
    };
}

ref_expert ref_latent_down(const ref_layer *layer)
{
    return (ref_expert){
        .width = layer->d_latent,
        .d_hidden = layer->d_model,
        .down = layer->types.latent_down,
        .stored_down = smoe_type_has_scales(layer->given.latent_down),
        .w2 = layer->latent_down,
        .b2 = layer->latent_down_bias,
        .w2_factor = factor_of(layer->factors.latent_down, 0),
    };
}

ref_expert ref_latent_up(const ref_layer *layer)
{
    return (ref_expert){
        .width = layer->d_model,
        .d_hidden = layer->d_latent,
        .down = layer->types.latent_up,
        .stored_down = smoe_type_has_scales(layer->given.latent_up),
        .w2 = layer->latent_up,
        .b2 = layer->latent_up_bias,
        .w2_factor = factor_of(layer->factors.latent_up, 0),
    };
}

void ref_up(const ref_layer *layer, const ref_expert *expert, const double *x, double *hidden)
{
    const uint32_t D = expert->width, H = expert->d_hidden;

    affine(expert->up, H, D, expert->w1, expert->w1_factor, expert->b1, x, hidden);
    for (uint32_t h = 0; h < H; h++) {
        double linear;
        if (layer->gated) {
            affine(expert->up, 1, D, expert->w3 + (size_t)h * D, expert->w3_factor, part_of(expert->b3, h, 1), x,
                   &linear);
            hidden[h] = ref_gated(&expert->gating, hidden[h], linear);
        } else {
            hidden[h] = ref_activation(&expert->gating, hidden[h]);
        }
    }
}

void ref_down(const ref_expert *expert, const double *hidden, double *row)
{
    affine(expert->down, expert->width, expert->d_hidden, expert->w2, expert->w2_factor, expert->b2, hidden, row);
}

double ref_shared_weight(const ref_layer *layer, const double *x)
{
    double z;

    if (!layer->shared_gate)
        return 1;
    affine(SMOE_TYPE_FLOAT32, 1, layer->d_model, layer->shared_gate, 1, NULL, x, &z);
    return ref_sigmoid(z);
}

void ref_combine(uint32_t d_model, double weight, const double *row, double *y)
{
    for (uint32_t i = 0; i < d_model; i++)
        y[i] += weight * row[i];
}

static bool add_expert(const ref_layer *layer, ref_expert expert, double weight, const double *x, double *hidden,
                       double *row, double *y)
{
    float *memory[REF_EXPERT_MATRICES];
    const bool good = ref_round_expert(&expert, memory);
    if (good) {
        ref_up(layer, &expert, x, hidden);
        ref_down(&expert, hidden, row);
        ref_combine(expert.width, weight, row, y);
    }
    ref_free_expert(memory);
    return good;
}

/* out[width] = a latent matrix x + its bias */
static bool run_latent(ref_expert matrix, const double *x, double *out)
{
    float *memory[REF_EXPERT_MATRICES];
    const bool good = ref_round_expert(&matrix, memory);
    if (good)
        ref_down(&matrix, x, out);
    ref_free_expert(memory);
    return good;
}

/* Numbers on the way of one token. */
typedef struct token_work {
    double *x, *latent, *sum, *hidden, *row; /* [D], [L], [L], [H], [the wider of D and L] */
} token_work;

/* sum[L] of the routed experts, of what they see. */
static bool add_routed(const ref_layer *layer, const ref_token *token, const double *seen, const token_work *work,
                       double *sum)
{
    bool good = true;

    for (uint32_t r = 0; good && r < token->active; r++)
        if (ref_is_zero_expert(layer, token->ids[r]))
            ref_combine(ref_expert_width(layer), token->output_weights[r], seen, sum);
        else
            good = add_expert(layer, ref_weighted_expert(layer, token->ids[r], token->input_weights[r]),
                              token->output_weights[r], seen, work->hidden, work->row, sum);
    return good;
}

static bool run_token(const ref_layer *layer, const ref_token *token, const token_work *work, double *y)
{
    bool good = true;

    if (layer->d_latent) {
        good = run_latent(ref_latent_down(layer), work->x, work->latent) &&
               add_routed(layer, token, work->latent, work, work->sum) &&
               run_latent(ref_latent_up(layer), work->sum, y);
    } else {
        good = add_routed(layer, token, work->x, work, y);
    }
    if (good && layer->shared_hidden)
        good = add_expert(layer, ref_shared_expert(layer), ref_shared_weight(layer, work->x), work->x, work->hidden,
                          work->row, y);
    return good;
}

bool ref_run_experts(const ref_layer *layer, const ref_token *token, const float *x, double *y)
{
    const size_t D = layer->d_model, L = ref_expert_width(layer),
                 H = layer->d_hidden > layer->shared_hidden ? layer->d_hidden : layer->shared_hidden;
    double *memory = calloc(D + 2 * L + H + (D > L ? D : L), sizeof *memory);

    if (!memory)
        return false;
    const token_work work = {memory, memory + D, memory + D + L, memory + D + 2 * L, memory + D + 2 * L + H};
    for (size_t i = 0; i < D; i++) {
        work.x[i] = (double)x[i];
        y[i] = 0;
    }
    const bool good = run_token(layer, token, &work, y);
    if (token->flags & SMOE_REPORT_FLAG_NONFINITE)
        for (size_t i = 0; i < D; i++)
            y[i] = NAN;
    free(memory);
    return good;
}

bool ref_forward(const ref_layer *layer, const ref_params *params, const float *x, double *logits, ref_token *token,
                 double *y)
{
    ref_logits(layer, x, logits);
    ref_select(layer, params, logits, token);
    return ref_run_experts(layer, token, x, y);
}
