/* What the subcommands that run a layer share: a layer and inputs, from a layer file or drawn by the seed; each expert
 * on its own; and the straight line through the boundary mass. */
#ifndef SMOE_ANALYZE_LAYERS_H
#define SMOE_ANALYZE_LAYERS_H

#include "analyze.h"

#include <smoe/layer_file.h>

/* boundary-mass with a layer file on the command line (boundary_mass_layer.c): of the file's own router on its own
 * inputs. */
int layers_boundary_mass(analyze *a);

/* Options of a drawn layer, for the option table of a subcommand. A file has shapes of its own: with one they are
 * refused. Without LAYERS_CHOICE_OPTIONS k = 1 and there are no groups. */
#define LAYERS_SHAPE_OPTIONS                                                                                          \
    {"--width", "N", "width D of the inputs", PROGRAM_COUNT(analyze_options, width, 1, 4096), .fallback = "32"},      \
    {"--hidden", "N", "hidden width H of an expert",                                                                  \
     PROGRAM_COUNT(analyze_options, hidden, 1, 16384), .fallback = "64"},                                             \
    {"--experts", "N", "experts E", PROGRAM_COUNT(analyze_options, experts, 2, SMOE_MAX_EXPERTS), .fallback = "8"}
#define LAYERS_CHOICE_OPTIONS                                                                                         \
    {"--k", "N", "experts chosen k", PROGRAM_COUNT(analyze_options, k, 1, SMOE_MAX_EXPERTS), .fallback = "2"},        \
    {"--groups", "N", "groups of experts; 0: none",                                                                   \
     PROGRAM_COUNT(analyze_options, groups, 0, SMOE_MAX_EXPERTS), .fallback = "0"},                                   \
    {"--top-groups", "N", "groups kept, where there are any",                                                         \
     PROGRAM_COUNT(analyze_options, top_groups, 1, SMOE_MAX_EXPERTS), .fallback = "2"}

/* A layer in host memory. */
typedef struct layers_source {
    smoe_layer_file *file; /* NULL: drawn */
    smoe_plan_desc plan;   /* max_active resolved; min_tokens = max_tokens = token_count */
    smoe_forward_params params;
    smoe_host_weights weights;
    const float *x;        /* [token_count, D] */
    uint32_t token_count;
    float *drawn[8];       /* what was drawn, x too */
} layers_source;

/* The layer of the file on the command line with its own inputs, or, with neither, drawn ones: inputs and router
 * weights N(0,1), the latter over sqrt(D), so that z is N(0,1) given |x|^2 = D; experts gelu, weights N(0,1) over the
 * square root of what they sum over, b2 N(0,1). A drawn layer is renormalized, softmax, of float32, its shape from the
 * options above. drawn_tokens: inputs to draw. Options that the layer leaves without a meaning are refused: of shape
 * and --tokens where the file has its own, --top-groups and --group-eps without groups. PROGRAM_OK, or what to exit
 * with after a message. */
int layers_open(analyze *a, uint32_t drawn_tokens, layers_source *source);
void layers_close(layers_source *source);

bool layers_has_groups(const layers_source *source);

void layers_put(analyze *a, const layers_source *source); /* what it is, as results: after the last refusal */

/* f[count, token_count, D]: the experts `ids` each alone, on x[token_count, D]: a layer of one expert, its weight 1. */
int layers_run_experts(analyze *a, const layers_source *source, const uint32_t *ids, uint32_t count, const float *x,
                       uint32_t token_count, float *f);

/* |p - q| and |p|, of [width]. */
double layers_distance(const float *p, const float *q, uint32_t width);
double layers_norm(const float *p, uint32_t width);

/* The straight line P(gap <= w) = slope w through 0, from gaps.
 * Below w* the gaps are, if the mass is linear there, uniform in (0, w*]: w* is the largest of the sample's quantiles
 * 1/2, 1/2 2^(-1/4), ... for which a Kolmogorov-Smirnov test does not refuse that at the level 10 % (asymptotic,
 * sqrt(n) D < 1.2238), with 20 gaps at least. slope = P(gap <= w*) / w*, its error the binomial one; power: the a of P
 * ~ w^a, most likely one n / sum ln(w* / gap), its error a / sqrt(n). */
typedef struct layers_mass {
    double to;        /* w* */
    uint32_t below;   /* gaps <= w* */
    double slope, slope_error, power, power_error;
} layers_mass;

/* sorted: ascending, all finite or +inf. False where not even the smallest range passes. */
bool layers_fit_mass(const float *sorted, uint32_t count, layers_mass *mass);

/* Gaps <= w of a sorted array. */
uint32_t layers_count_below(const float *sorted, uint32_t count, double w);

void layers_sort(float *values, size_t count); /* ascending */

/* Adds and prints the fit's numbers. */
void layers_put_mass(analyze *a, const layers_mass *mass, uint32_t count);

/* Memory for count elements of a size; NULL after a message. */
void *layers_allocate(size_t count, size_t size);

#endif
