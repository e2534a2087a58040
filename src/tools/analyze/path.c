/* Finding a boundary by bisection along segments. */
#include "path.h"
#include "program/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS = 48, CROSSINGS = 8 };

/* y: NULL: only the routing. */
static smoe_result run(path_walk *walk, const smoe_forward_params *params, const double *start, const double *direction,
                       double from, double to, uint32_t points, float *y)
{
    const uint32_t width = walk->source->plan.d_model;
    for (uint32_t i = 0; i < points; i++)
        for (uint32_t d = 0; d < width; d++)
            walk->x[(size_t)i * width + d] = (float)(start[d] + (from + (to - from) * i / (points - 1)) * direction[d]);
    smoe_forward_params all = *params;
    all.token_count = points;
    return smoe_device_layer_forward(walk->layer, &all, walk->x, y, walk->report, NULL);
}

smoe_result path_run(path_walk *walk, const smoe_forward_params *params, const double *start, const double *direction,
                     double from, double to, uint32_t points)
{
    return run(walk, params, start, direction, from, to, points, walk->y);
}

float path_report_float(const path_walk *walk, uint32_t point, uint32_t word)
{
    float value;
    memcpy(&value, &path_record(walk, point)[word], sizeof value);
    return value;
}

/* Whether two points have the same experts, in any order. */
static bool same_experts(const path_walk *walk, uint32_t p, uint32_t q)
{
    const uint32_t *left = path_record(walk, p), *right = path_record(walk, q);
    const uint32_t count = left[SMOE_REPORT_ACTIVE];
    bool same = count == right[SMOE_REPORT_ACTIVE];
    for (uint32_t i = 0; same && i < count; i++) {
        bool found = false;
        for (uint32_t j = 0; !found && j < count; j++)
            found = left[SMOE_REPORT_IDS + i] == right[SMOE_REPORT_IDS + j];
        same = found;
    }
    return same;
}

static uint32_t count_crossings(const path_walk *walk, uint32_t points, uint32_t *first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < points; i++)
        if (!same_experts(walk, i, i + 1) && count++ == 0 && first)
            *first = i;
    return count;
}

static smoe_forward_params hard_params(const path_walk *walk)
{
    smoe_forward_params params = walk->source->params;
    params.eps = params.group_eps = 0;
    return params;
}

/* Narrows [from, to], which holds a crossing, to about 10^-6 of its length; then lays the line. */
static smoe_result lay(path_walk *walk, const double *start, const double *direction, double from, double to,
                       double reach, path_line *line)
{
    const smoe_forward_params hard = hard_params(walk);
    const uint32_t width = walk->source->plan.d_model;
    uint32_t at = 0;
    line->crossings = 0;
    for (int round = 0; round < 2; round++) {
        const smoe_result result = run(walk, &hard, start, direction, from, to, PATH_SCAN, NULL);
        if (result != SMOE_SUCCESS)
            return result;
        if (count_crossings(walk, PATH_SCAN, &at) == 0)
            return SMOE_SUCCESS; /* lost in rounding */
        const double step = (to - from) / (PATH_SCAN - 1);
        from += step * at;
        to = from + step;
    }
    line->groups = path_report_float(walk, at, SMOE_REPORT_GROUP_GAP) < path_report_float(walk, at, SMOE_REPORT_GAP);
    double length = 0;
    for (uint32_t d = 0; d < width; d++)
        length += direction[d] * direction[d];
    length = sqrt(length);
    for (uint32_t d = 0; d < width; d++) {
        line->centre[d] = start[d] + 0.5 * (from + to) * direction[d];
        line->direction[d] = direction[d] / length;
    }
    /* How fast the gap opens: from a thousandth of the segment away. The points between are not looked at: two alone
     * would be too few for the plan. */
    const double away = 1e-3 * length;
    smoe_result result = run(walk, &hard, line->centre, line->direction, -away, away, PATH_SCAN - 1, NULL);
    if (result != SMOE_SUCCESS)
        return result;
    const uint32_t word = line->groups ? SMOE_REPORT_GROUP_GAP : SMOE_REPORT_GAP;
    line->gap_slope = fmin(path_report_float(walk, 0, word), path_report_float(walk, PATH_SCAN - 2, word)) / away;
    line->half_length = reach / line->gap_slope;
    if (!(line->gap_slope > 0 && isfinite(line->half_length)))
        return SMOE_SUCCESS;
    /* An even number: none on the boundary itself. */
    result =
        run(walk, &hard, line->centre, line->direction, -line->half_length, line->half_length, PATH_SCAN - 1, NULL);
    if (result == SMOE_SUCCESS)
        line->crossings = count_crossings(walk, PATH_SCAN - 1, NULL);
    return result;
}

int path_find(path_walk *walk, bool groups, double reach, path_line *line)
{
    const uint32_t width = walk->source->plan.d_model, tokens = walk->source->token_count;
    const smoe_forward_params hard = hard_params(walk);
    double *memory = layers_allocate(4 * (size_t)width, sizeof *memory);
    if (!memory)
        return PROGRAM_FAILED;
    double *start = memory, *direction = memory + width;
    path_line tried = {.centre = memory + 2 * width, .direction = memory + 3 * width};
    line->crossings = 0;
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t s = 0; result == SMOE_SUCCESS && s < SEGMENTS && s + 1 < tokens && line->crossings != 1; s++) {
        const float *from = walk->source->x + (size_t)s * width, *to = from + width;
        for (uint32_t d = 0; d < width; d++) {
            start[d] = from[d];
            direction[d] = (double)to[d] - from[d];
        }
        uint32_t places[CROSSINGS], count = 0;
        result = run(walk, &hard, start, direction, 0, 1, PATH_SCAN, NULL);
        for (uint32_t i = 0; result == SMOE_SUCCESS && i + 1 < PATH_SCAN && count < CROSSINGS; i++)
            if (!same_experts(walk, i, i + 1))
                places[count++] = i;
        for (uint32_t i = 0; result == SMOE_SUCCESS && i < count && line->crossings != 1; i++) {
            const double step = 1.0 / (PATH_SCAN - 1);
            result = lay(walk, start, direction, places[i] * step, (places[i] + 1) * step, reach, &tried);
            if (result != SMOE_SUCCESS || tried.groups != groups || tried.crossings == 0 ||
                (line->crossings && tried.crossings >= line->crossings))
                continue;
            memcpy(line->centre, tried.centre, width * sizeof *line->centre);
            memcpy(line->direction, tried.direction, width * sizeof *line->direction);
            line->half_length = tried.half_length;
            line->gap_slope = tried.gap_slope;
            line->groups = tried.groups;
            line->crossings = tried.crossings;
        }
        program_progress(s + 1, SEGMENTS, NULL);
    }
    program_progress_clear();
    free(memory);
    if (result != SMOE_SUCCESS)
        return analyze_fail_result(walk->a, result);
    if (!line->crossings)
        return analyze_fail("no boundary %s on the segments between the first %u inputs",
                            groups ? "between groups" : "between experts", tokens < SEGMENTS ? tokens : SEGMENTS);
    return PROGRAM_OK;
}
