/* What continuity's two files share: the line's measurement, and what theory says of it. */
#ifndef SMOE_ANALYZE_CONTINUITY_H
#define SMOE_ANALYZE_CONTINUITY_H

#include "path.h"

/* hard; eps without group_eps, if there are groups; eps, and group_eps if there are groups */
enum { CONTINUITY_HARD, CONTINUITY_EPS_ONLY, CONTINUITY_SMOOTH, CONTINUITY_MODES, CONTINUITY_MAX_LEVELS = 18 };

typedef struct continuity {
    analyze *a;
    layers_source source;
    path_walk walk;
    path_line line;
    double eps, group_eps;
    uint32_t levels, points;             /* points = 2^levels + 1 */
    float *y[CONTINUITY_MODES];          /* [points, D] */
    double step[CONTINUITY_MODES][CONTINUITY_MAX_LEVELS + 1]; /* by level: line / 2^level is the input step */
    uint32_t *sides[2];                  /* hard records of the neighbours on either side of the boundary */
    double across;                       /* hard: the output step between them */
} continuity;

smoe_forward_params continuity_params(const continuity *s, int mode);

/* What theory says of the line; NaN where its formula does not hold. */
typedef struct continuity_theory {
    double jump;         /* J: |sum over e of (w_e left - w_e right) f_e| at the boundary */
    double slope;        /* L: |dy| / |dx| of the smooth layer is at most this on the line */
    double expert_slope; /* D */
} continuity_theory;

/* Needs the sides. */
int continuity_predict(continuity *s, continuity_theory *theory);

#endif
