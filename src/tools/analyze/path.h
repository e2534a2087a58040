/* continuity's path: a straight line through input space that crosses a boundary in its middle. */
#ifndef SMOE_ANALYZE_PATH_H
#define SMOE_ANALYZE_PATH_H

#include "layers.h"

/* Points of a run: at least, which is the plan's min_tokens, so that it makes the kernels for many tokens only; and
 * where path_find looks for a boundary. */
enum { PATH_FEWEST = 257, PATH_SCAN = 1025 };

typedef struct path_walk {
    analyze *a;
    const layers_source *source;
    smoe_device_layer *layer;
    uint32_t most_points; /* the plan's max_tokens */
    float *x, *y;         /* [most_points, D] */
    uint32_t *report;     /* most_points records */
} path_walk;

typedef struct path_line {
    double *centre, *direction; /* [D]: on the boundary; of length 1 */
    double half_length;         /* |x - centre| at both ends */
    double gap_slope;           /* of the gap, or the group gap, per unit of |x| beside the boundary */
    bool groups;                /* groups tie there, not experts */
    uint32_t crossings;         /* changes of the chosen experts on the whole line: 1 is what is looked for */
} path_line;

/* Runs `points` inputs, PATH_FEWEST or more, from x = start + from * direction to start + to * direction in equal
 * steps. params: eps and so on. */
smoe_result path_run(path_walk *walk, const smoe_forward_params *params, const double *start, const double *direction,
                     double from, double to, uint32_t points);

static inline const uint32_t *path_record(const path_walk *walk, uint32_t point)
{
    return walk->report + (size_t)point * SMOE_REPORT_STRIDE(walk->source->plan.max_active);
}

float path_report_float(const path_walk *walk, uint32_t point, uint32_t word);

/* Looks along segments between pairs of inputs for a boundary of the wanted kind, closes in on it, and lays the line so
 * that it holds `reach` on either side, in units of the gap that closes. Takes the first line with this crossing alone,
 * else the one with the fewest. line: centre and direction are given with memory. */
int path_find(path_walk *walk, bool groups, double reach, path_line *line);

#endif
