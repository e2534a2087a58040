/* Gates: scores and weights from logits (docs/routing.md, 2.1). */
#include <math.h>

#include "ref.h"

/* Below, ln(ln(1 + e^z)) is z to double precision; before long e^z vanishes. */
#define SOFTPLUS_IS_EXP -40.0

double ref_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

double ref_softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

ref_gates ref_gates_of(const ref_layer *layer, const double *logits)
{
    ref_gates gates = {.largest = -INFINITY};
    double sum = 0;

    for (uint32_t e = 0; e < layer->expert_count; e++)
        gates.largest = fmax(gates.largest, logits[e]);
    for (uint32_t e = 0; e < layer->expert_count; e++)
        sum += exp(logits[e] - gates.largest);
    gates.log_sum = log(sum);
    return gates;
}

/* For softmax gates the largest logit is subtracted before the division: beside a quotient of 1e30 the differences
 * would be lost. */
double ref_log_gate(const ref_layer *layer, const ref_params *params, const ref_gates *gates, double z)
{
    switch (layer->gate) {
    case SMOE_GATE_SOFTMAX: return (z - gates->largest) / params->temperature;
    case SMOE_GATE_SIGMOID: return -ref_softplus(-z);
    case SMOE_GATE_SQRT_SOFTPLUS: return 0.5 * (z < SOFTPLUS_IS_EXP ? z : log(ref_softplus(z)));
    case SMOE_GATE_SOFTMAX_BIAS: return z - gates->largest - gates->log_sum;
    }
    return NAN;
}

static double score(const ref_layer *layer, const ref_gates *gates, double z)
{
    const ref_params unused = {.temperature = 1}; /* the softmax gate's only */

    switch (layer->gate) {
    case SMOE_GATE_SOFTMAX: return z;
    case SMOE_GATE_SIGMOID: return ref_sigmoid(z);
    case SMOE_GATE_SQRT_SOFTPLUS:
    case SMOE_GATE_SOFTMAX_BIAS: return exp(ref_log_gate(layer, &unused, gates, z));
    }
    return NAN;
}

void ref_scores(const ref_layer *layer, const double *logits, double *scores)
{
    const ref_gates gates = ref_gates_of(layer, logits);

    for (uint32_t e = 0; e < layer->expert_count; e++)
        scores[e] = score(layer, &gates, logits[e]) + (layer->selection_bias ? (double)layer->selection_bias[e] : 0.0);
}
