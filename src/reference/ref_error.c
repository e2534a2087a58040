/* What float32 may add to sums, logits, weights and outputs. */
#include <math.h>

#include "ref.h"

#define SMALLEST_Y 0.1 /* where weights add up to 1 */

double ref_sum_error(uint32_t term_count, double absolute_sum)
{
    return 0x1p-24 * (2 + sqrt(term_count)) * absolute_sum;
}

/* The largest sum of a row's terms, all taken as positive. */
static double largest_absolute_sum(uint32_t rows, uint32_t columns, const float *matrix, const float *bias,
                                   const float *x)
{
    double largest = 0;

    for (uint32_t r = 0; r < rows; r++) {
        double sum = bias ? fabs((double)bias[r]) : 0;
        for (uint32_t i = 0; i < columns; i++)
            sum += fabs((double)x[i] * (double)matrix[(size_t)r * columns + i]);
        largest = fmax(largest, sum);
    }
    return largest;
}

double ref_projection_error(const ref_layer *layer, const float *x)
{
    return ref_sum_error(layer->d_model + 1,
                         largest_absolute_sum(layer->projection_width, layer->d_model, layer->router_projection,
                                              layer->router_projection_bias, x));
}

/* z = c <v, S> / (|v| |S|). An error of h in each element of v, independent ones, moves <v, S> / |S| by h, and |v| by
 * h: z by twice h / |v| of c at most. The sum of products has p terms whose absolute values add up to |v| |S| at most,
 * and the squares of each norm are such a sum too; the root halves theirs. exp, roots and quotients: Vulkan allows exp
 * 3 + 2 * 4.6 units in the last place, the rest a few. */
double ref_cosine_error(const ref_layer *layer, const double *v, double v_error)
{
    const uint32_t p = layer->projection_width;
    const double scale = exp(fmin((double)layer->router_log_scale[0], log(100)));
    double square = 0;

    for (uint32_t i = 0; i < p; i++)
        square += v[i] * v[i];
    if (square == 0 && v_error == 0)
        return 0; /* every logit is 0 */
    const double norm = fmax(sqrt(square), 1e-12);
    return scale * (2 * sqrt(p) * v_error / norm + 2 * ref_sum_error(p, 1) + 24 * 0x1p-23);
}

double ref_logit_error(const ref_layer *layer, const float *x)
{
    if (layer->router == SMOE_ROUTER_COSINE) {
        double v[REF_MAX_PROJECTION];
        ref_project(layer, x, v);
        return ref_cosine_error(layer, v, ref_projection_error(layer, x));
    }
    return ref_sum_error(layer->d_model + 1, largest_absolute_sum(layer->expert_count, layer->d_model,
                                                                  layer->router_weight, layer->router_bias, x));
}

/* 20 stands for the slope 18 of a = 1, b = 50; steeper masks also multiply the rounding of u. */
static double mask_error(double mask_slope, const ref_bounds *bounds, double eps)
{
    const double slope = fmax(20, mask_slope);

    return (eps > 0 ? 2e-6 * slope / 20 + slope / eps * bounds->score : 2e-6) + bounds->mask;
}

double ref_weight_error(const ref_params *params, double mask_slope, const ref_bounds *bounds, double eps)
{
    return (mask_error(mask_slope, bounds, eps) + bounds->gate + bounds->weight) * fabs(params->scale) *
           bounds->expert_scale;
}

double ref_output_weight_error(const ref_layer *layer, const ref_params *params, double mask_slope,
                               const ref_bounds *bounds, double eps)
{
    if (!layer->weighted_input)
        return ref_weight_error(params, mask_slope, bounds, eps);
    return mask_error(mask_slope, bounds, eps) + 3 * (bounds->gate + bounds->weight);
}

double ref_output_error(double weight_error, double largest, double unit)
{
    return (2e-5 + 10 * weight_error) * fmax(SMALLEST_Y * unit, largest);
}
