/* What distinguishes the rows of the case table from one another, as predicates; and where it can make a difference. */
#ifndef CASE_PROPERTIES_H
#define CASE_PROPERTIES_H

#include "cases.h"

/* The parts of a layer that read a property: a pair of a property and a kernel counts where the kernel computes such a
 * part. */
enum {
    READ_BY_LOGITS = 1, /* route_logits */
    READ_BY_CHOICE = 2, /* route_group, route_select, totals */
    READ_BY_SORT = 4,
    READ_BY_UP = 8,
    READ_BY_DOWN = 16,
    READ_BY_COMBINE = 32,
    READ_BY_PROJECT = 64,
    READ_BY_GATE = 128, /* the shared expert's */
    READ_BY_SHARED_UP = 256,
    READ_BY_SHARED_DOWN = 512,
    READ_BY_LATENT_DOWN = 1024,
    READ_BY_LATENT_SUM = 2048,
    READ_BY_LATENT_UP = 4096,
    READ_BY_LATENT = READ_BY_LATENT_DOWN | READ_BY_LATENT_SUM | READ_BY_LATENT_UP,
    READ_BY_UPS = READ_BY_UP | READ_BY_SHARED_UP,
    READ_BY_DOWNS = READ_BY_DOWN | READ_BY_SHARED_DOWN,
    READ_BY_EXPERTS = READ_BY_UP | READ_BY_DOWN,
    READ_BY_TYPES = READ_BY_UPS | READ_BY_DOWNS,
    READ_BY_SIZES = READ_BY_LOGITS | READ_BY_PROJECT | READ_BY_GATE | READ_BY_TYPES | READ_BY_COMBINE,
    READ_BY_ROWS = READ_BY_CHOICE | READ_BY_SORT | READ_BY_COMBINE,
    READ_BY_COUNTS = READ_BY_LOGITS | READ_BY_CHOICE | READ_BY_SORT,
    READ_BY_SHARED_SIZES = READ_BY_SHARED_UP | READ_BY_SHARED_DOWN,
    READ_BY_SHARED = READ_BY_SHARED_SIZES | READ_BY_COMBINE,
    READ_BY_ALL = 8191
};

typedef struct case_property {
    const char *name;
    uint32_t readers; /* READ_BY_* */
    bool by_lanes;    /* the number of lanes can make a difference: not where one number is made of another */
    bool by_rows;     /* so can the rows of a tile */
    bool (*holds)(const layer_case *shape);
} case_property;

#define CASE_PROPERTIES_MOST 256

extern const case_property case_properties[];
extern const uint32_t case_property_count;

#endif
