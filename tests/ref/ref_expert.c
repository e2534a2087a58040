#include "ref.h"

#include <math.h>
#include <stdlib.h>

double ref_activation(smoe_activation activation, double x)
{
    switch (activation) {
    case SMOE_ACTIVATION_IDENTITY:
        return x;
    case SMOE_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case SMOE_ACTIVATION_GELU:
        return x / 2 * (1 + erf(x / sqrt(2.0)));
    case SMOE_ACTIVATION_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case SMOE_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    }
    return NAN;
}

/* out[rows] = matrix[rows,columns] x + bias[rows] */
static void affine(uint32_t rows, uint32_t columns, const float *matrix, const float *bias, const double *x, double *out)
{
    for (uint32_t r = 0; r < rows; r++) {
        const float *m = matrix + (size_t)r * columns;
        double sum = bias ? (double)bias[r] : 0.0;
        for (uint32_t c = 0; c < columns; c++)
            sum += (double)m[c] * x[c];
        out[r] = sum;
    }
}

static const float *of_expert(const float *bias, uint32_t expert, uint32_t width)
{
    return bias ? bias + (size_t)expert * width : NULL;
}

void ref_up(const ref_layer *layer, uint32_t expert, const double *x, double *hidden)
{
    const uint32_t D = layer->d_model, H = layer->d_hidden;
    const float *w1 = layer->w1 + (size_t)expert * H * D;

    affine(H, D, w1, of_expert(layer->b1, expert, H), x, hidden);
    for (uint32_t h = 0; h < H; h++)
        hidden[h] = ref_activation(layer->activation, hidden[h]);
    if (!layer->gated)
        return;
    const float *w3 = layer->w3 + (size_t)expert * H * D, *b3 = of_expert(layer->b3, expert, H);
    for (uint32_t h = 0; h < H; h++) {
        double linear;
        affine(1, D, w3 + (size_t)h * D, b3 ? b3 + h : NULL, x, &linear);
        hidden[h] *= linear;
    }
}

void ref_down(const ref_layer *layer, uint32_t expert, const double *hidden, double *row)
{
    const uint32_t D = layer->d_model, H = layer->d_hidden;

    affine(D, H, layer->w2 + (size_t)expert * D * H, of_expert(layer->b2, expert, D), hidden, row);
}

void ref_combine(uint32_t d_model, double weight, const double *row, double *y)
{
    for (uint32_t i = 0; i < d_model; i++)
        y[i] += weight * row[i];
}

bool ref_forward(const ref_layer *layer, const ref_params *params, const float *x, double *logits, ref_token *token, double *y)
{
    const uint32_t D = layer->d_model, H = layer->d_hidden;
    double *wide = malloc(((size_t)D * 2 + H) * sizeof *wide), *hidden = wide + D, *row = wide + D + H;

    if (!wide)
        return false;
    for (uint32_t i = 0; i < D; i++) {
        wide[i] = (double)x[i];
        y[i] = 0;
    }
    ref_logits(layer, x, logits);
    ref_select(layer, params, logits, token);
    for (uint32_t r = 0; r < token->active; r++) {
        ref_up(layer, token->ids[r], wide, hidden);
        ref_down(layer, token->ids[r], hidden, row);
        ref_combine(D, token->weights[r], row, y);
    }
    if (token->flags & SMOE_REPORT_FLAG_NONFINITE)
        for (uint32_t i = 0; i < D; i++)
            y[i] = NAN;
    free(wide);
    return true;
}
