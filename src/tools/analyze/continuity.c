/* continuity: the largest output step against the input step along a line across a boundary.
 *
 * Hard, the largest step tends to the jump J at the boundary however small the input step; smooth, it falls in
 * proportion to the step (arXiv 2606.19036; the groups' smoothing is smoe's own, derived in README.md), under the bound
 * L of continuity_theory.c. */
#include "continuity.h"
#include "program/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The shortest line still has the points of a run. */
enum { LEAST_LEVELS = 8 };
_Static_assert((1u << LEAST_LEVELS) + 1 >= PATH_FEWEST, "a run has PATH_FEWEST points or more");

enum { EXPERTS, GROUPS };

static const char *boundary_name(int index)
{
    static const char *const names[] = {[EXPERTS] = "experts", [GROUPS] = "groups"};
    return index <= GROUPS ? names[index] : NULL;
}

static const program_names boundaries = {.name = boundary_name};

static const program_option options[] = {
    LAYERS_SHAPE_OPTIONS,
    LAYERS_CHOICE_OPTIONS,
    {"--eps", "X", "band width [the file's, or 0.25]", PROGRAM_NUMBER(analyze_options, eps, 1e-6, 1e6)},
    {"--group-eps", "X", "band width of the groups' scores [the file's, or 0.25]",
     PROGRAM_NUMBER(analyze_options, group_eps, 1e-6, 1e6)},
    {"--boundary", "KIND", "what ties on the line, without it groups where there are any",
     PROGRAM_NAME(analyze_options, boundary, &boundaries)},
    {"--reach", "X", "the line's half length, in band widths of the gap that closes",
     PROGRAM_NUMBER(analyze_options, reach, 0.1, 100), .fallback = "1.5"},
    {"--levels", "N", "the finest input step is the line over 2^N",
     PROGRAM_COUNT(analyze_options, levels, LEAST_LEVELS, 18), .fallback = "14"},
};

enum { COARSEST = 3, PICTURE = 513, TOKENS = 64 };

static double largest_step(const float *y, uint32_t points, uint32_t stride, uint32_t width)
{
    double largest = 0;
    for (uint32_t i = stride; i < points; i += stride)
        largest = fmax(largest, layers_distance(y + (size_t)i * width, y + (size_t)(i - stride) * width, width));
    return largest;
}

/* Counts, in the run that the walk holds: points without a group in the groups' band, and, with no_band, without an
 * expert in the band, whose output has not the bits that `mode` gave. *points: how many such points there are. */
static uint32_t count_different(const continuity *s, int mode, bool no_band, uint32_t *points)
{
    const smoe_plan_desc *plan = &s->source.plan;
    const size_t size = plan->d_model * sizeof(float);
    uint32_t different = 0;
    *points = 0;
    for (uint32_t i = 0; i < s->points; i++) {
        const uint32_t *record = path_record(&s->walk, i);
        if ((layers_has_groups(&s->source) && record[SMOE_REPORT_GROUPS] != plan->top_groups) ||
            (no_band && record[SMOE_REPORT_ACTIVE] != plan->top_k))
            continue;
        ++*points;
        different += memcmp((const char *)s->walk.y + i * size, (const char *)s->y[mode] + i * size, size) != 0;
    }
    return different;
}

static void put_bits(continuity *s)
{
    uint32_t points, different = count_different(s, CONTINUITY_HARD, true, &points);
    analyze_put_value(s->a, "outside", points, "points with nothing in a band");
    analyze_put_value(s->a, "outside_different", different,
                      "  of them, smooth outputs without the bits of the hard one");
    if (!layers_has_groups(&s->source))
        return;
    different = count_different(s, CONTINUITY_EPS_ONLY, false, &points);
    analyze_put_value(s->a, "outside_groups", points, "points with no group in the groups' band");
    analyze_put_value(s->a, "outside_groups_different", different, "  of them, outputs without the bits of eps alone");
}

static int walk_line(continuity *s)
{
    const uint32_t width = s->source.plan.d_model;
    const double half = s->line.half_length;
    for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++) {
        if (mode == CONTINUITY_EPS_ONLY && !layers_has_groups(&s->source))
            continue;
        const smoe_forward_params params = continuity_params(s, mode);
        const smoe_result result =
            path_run(&s->walk, &params, s->line.centre, s->line.direction, -half, half, s->points);
        if (result != SMOE_SUCCESS)
            return analyze_fail_result(s->a, result);
        memcpy(s->y[mode], s->walk.y, (size_t)s->points * width * sizeof *s->walk.y);
        for (uint32_t level = COARSEST; level <= s->levels; level++)
            s->step[mode][level] = largest_step(s->y[mode], s->points, 1u << (s->levels - level), width);
        program_progress(mode + 1, CONTINUITY_MODES, NULL);
        if (mode == CONTINUITY_SMOOTH)
            put_bits(s);
        if (mode != CONTINUITY_HARD)
            continue;
        const float *y = s->y[CONTINUITY_HARD];
        /* on the boundary, up to rounding: which side it fell on is seen by the steps */
        const size_t middle = s->points / 2;
        const double before = layers_distance(y + middle * width, y + (middle - 1) * width, width);
        const double after = layers_distance(y + (middle + 1) * width, y + middle * width, width);
        const uint32_t at = (uint32_t)(before > after ? middle - 1 : middle);
        s->across = fmax(before, after);
        for (uint32_t side = 0; side < 2; side++)
            memcpy(s->sides[side], path_record(&s->walk, at + side),
                   SMOE_REPORT_STRIDE(s->source.plan.max_active) * sizeof **s->sides);
    }
    return PROGRAM_OK;
}

static void put_steps(continuity *s, double slope)
{
    enum { ROWS = CONTINUITY_MAX_LEVELS };
    double h[ROWS], columns_of[CONTINUITY_MODES][ROWS], per_step[ROWS], bound[ROWS];
    size_t rows = 0;
    for (uint32_t level = COARSEST; level <= s->levels; level++, rows++) {
        h[rows] = 2 * s->line.half_length / (double)(1u << level);
        for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++)
            columns_of[mode][rows] = s->step[mode][level];
        per_step[rows] = columns_of[CONTINUITY_SMOOTH][rows] / h[rows];
        bound[rows] = slope * h[rows];
    }
    analyze_column columns[6] = {{"input_step", h}, {"hard", columns_of[CONTINUITY_HARD]}};
    size_t count = 2;
    if (layers_has_groups(&s->source))
        columns[count++] = (analyze_column){"eps_only", columns_of[CONTINUITY_EPS_ONLY]};
    columns[count++] = (analyze_column){"smooth", columns_of[CONTINUITY_SMOOTH]};
    columns[count++] = (analyze_column){"smooth_per_step", per_step};
    columns[count++] = (analyze_column){"bound", bound};
    analyze_put_table(s->a, "steps", "largest output step |y' - y| by input step |x' - x|", columns, count, rows);

    /* The power of the input step, over the five finest. Nothing here is random: there is no standard error. */
    const double predicted[CONTINUITY_MODES] = {0, s->line.groups ? 0 : 1, 1};
    static const char *const names[CONTINUITY_MODES] = {"power_hard", "power_eps_only", "power_smooth"};
    static const char *const abouts[CONTINUITY_MODES] = {
        "power of the input step, hard", "power of the input step, eps alone", "power of the input step, smooth"};
    for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++) {
        analyze_fit fit;
        if ((mode != CONTINUITY_EPS_ONLY || layers_has_groups(&s->source)) &&
            analyze_fit_power(h + rows - 5, columns_of[mode] + rows - 5, NULL, 5, &fit))
            analyze_put_comparison(s->a, names[mode], abouts[mode], fit.slope, NAN, predicted[mode]);
    }
}

/* One output coordinate along the line: the one that jumps most. */
static void put_picture(continuity *s)
{
    static const char *const names[CONTINUITY_MODES] = {"y_hard", "y_eps_only", "y_smooth"};
    const uint32_t width = s->source.plan.d_model, stride = s->points > PICTURE ? (s->points - 1) / (PICTURE - 1) : 1;
    uint32_t coordinate = 0;
    double largest = -1;
    for (uint32_t i = 1; i < s->points; i++)
        for (uint32_t d = 0; d < width; d++) {
            const float *y = s->y[CONTINUITY_HARD] + (size_t)i * width + d;
            const double step = fabs((double)*y - *(y - width));
            if (step > largest) {
                largest = step;
                coordinate = d;
            }
        }
    double values[PICTURE];
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->points && count < PICTURE; i += stride)
        values[count++] = s->line.half_length * (2.0 * i / (s->points - 1) - 1);
    analyze_put_array(s->a, "position", values, count);
    for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++) {
        if (mode == CONTINUITY_EPS_ONLY && !layers_has_groups(&s->source))
            continue;
        for (uint32_t i = 0; i < count; i++)
            values[i] = s->y[mode][(size_t)i * stride * width + coordinate];
        analyze_put_array(s->a, names[mode], values, count);
    }
    analyze_put_value(s->a, "coordinate", coordinate, NULL);
}

static int measure(continuity *s)
{
    int status = path_find(&s->walk, s->line.groups,
                           s->a->options.reach * (s->line.groups ? s->group_eps : s->eps), &s->line);
    if (status != PROGRAM_OK)
        return status;
    analyze_put_text(s->a, "boundary", s->line.groups ? "groups" : "experts", "what ties in the line's middle");
    analyze_put_value(s->a, "eps", s->eps, "eps");
    if (layers_has_groups(&s->source))
        analyze_put_value(s->a, "group_eps", s->group_eps, "group_eps");
    analyze_put_value(s->a, "half_length", s->line.half_length, "half the line's length, |x|");
    analyze_put_value(s->a, "gap_slope", s->line.gap_slope, "slope of the gap beside the boundary, per |x|");
    analyze_put_value(s->a, "crossings", s->line.crossings, "boundaries on the line");
    status = walk_line(s);
    continuity_theory theory = {NAN, NAN, NAN};
    if (status == PROGRAM_OK)
        status = continuity_predict(s, &theory);
    if (status != PROGRAM_OK)
        return status;
    put_steps(s, theory.slope);
    analyze_put_comparison(s->a, "jump", "hard: the finest input step across the boundary, theory J", s->across, NAN,
                           theory.jump);
    analyze_put_value(s->a, "expert_slope", theory.expert_slope, "D, the steepest expert on the line");
    analyze_put_value(s->a, "bound", theory.slope,
                      "L, the bound of the smooth layer's slope (- where its formula does not hold)");
    put_picture(s);
    return PROGRAM_OK;
}

static double band_width(double given, float of_layer)
{
    return !isnan(given) ? given : of_layer > 0 ? (double)of_layer : 0.25;
}

static int open_study(continuity *s)
{
    analyze *a = s->a;
    const int status = layers_open(a, TOKENS, &s->source);
    if (status != PROGRAM_OK)
        return status;
    s->line.groups = a->options.boundary >= 0 ? a->options.boundary == GROUPS : layers_has_groups(&s->source);
    if (s->line.groups && !layers_has_groups(&s->source))
        return analyze_refuse_option(a, "--boundary", "the layer has no groups");
    if (s->source.plan.top_k == s->source.plan.expert_count)
        return analyze_refuse(a->file ? a->file : "--k", "all experts are chosen: there is no boundary");
    if (s->source.plan.max_active == s->source.plan.top_k)
        return analyze_refuse(a->file ? a->file : "--k", "the cap leaves no room for a band");
    layers_put(a, &s->source);
    s->eps = band_width(a->options.eps, s->source.params.eps);
    s->group_eps = band_width(a->options.group_eps, s->source.params.group_eps);
    s->levels = a->options.levels;
    s->points = (1u << s->levels) + 1;
    smoe_plan_desc *plan = &s->source.plan;
    const size_t width = plan->d_model;
    s->walk = (path_walk){.a = a, .source = &s->source, .most_points = s->points > PATH_SCAN ? s->points : PATH_SCAN};
    plan->min_tokens = PATH_FEWEST;
    plan->max_tokens = s->walk.most_points;
    s->line.centre = layers_allocate(width, sizeof *s->line.centre);
    s->line.direction = layers_allocate(width, sizeof *s->line.direction);
    for (int side = 0; side < 2; side++)
        s->sides[side] = layers_allocate(SMOE_REPORT_STRIDE(plan->max_active), sizeof **s->sides);
    s->walk.x = layers_allocate(s->walk.most_points * width, sizeof *s->walk.x);
    s->walk.y = layers_allocate(s->walk.most_points * width, sizeof *s->walk.y);
    s->walk.report =
        layers_allocate((size_t)s->walk.most_points * SMOE_REPORT_STRIDE(plan->max_active), sizeof *s->walk.report);
    bool all =
        s->sides[0] && s->sides[1] && s->line.centre && s->line.direction && s->walk.x && s->walk.y && s->walk.report;
    for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++)
        if (mode != CONTINUITY_EPS_ONLY || layers_has_groups(&s->source))
            all = (s->y[mode] = layers_allocate(s->points * width, sizeof **s->y)) && all;
    if (!all)
        return PROGRAM_FAILED;
    const smoe_result result = smoe_device_layer_create(a->device, plan, &s->source.weights, &s->walk.layer);
    return result == SMOE_SUCCESS ? PROGRAM_OK : analyze_fail_result(a, result);
}

static int run(analyze *a)
{
    static continuity s;
    memset(&s, 0, sizeof s);
    s.a = a;
    int status = open_study(&s);
    if (status == PROGRAM_OK)
        status = measure(&s);
    smoe_device_layer_destroy(s.walk.layer);
    for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++)
        free(s.y[mode]);
    free(s.sides[0]), free(s.sides[1]), free(s.walk.x), free(s.walk.y), free(s.walk.report), free(s.line.centre),
        free(s.line.direction);
    layers_close(&s.source);
    return status;
}

const analyze_command analyze_continuity = {
    .name = "continuity",
    .about = "output step against input step across a boundary, hard and smooth",
    .run = run,
    .options = PROGRAM_TABLE(options),
    .file = ANALYZE_FILE_OPTIONAL,
};
