/* What distinguishes the rows of the case table from one another, as predicates; and where it can make a difference. */
#ifndef CASE_PROPERTIES_H
#define CASE_PROPERTIES_H

#include "cases.h"

/* The stages that read a property: a pair of a property and a kernel counts where the kernel is of such a stage. */
enum {
    READ_BY_LOGITS = 1, /* route_project and route_logits, the shared expert's gate too */
    READ_BY_CHOICE = 2, /* route_group, route_select, totals */
    READ_BY_SORT = 4,
    READ_BY_UP = 8,    /* expert_up, the shared expert's too */
    READ_BY_DOWN = 16, /* expert_down, the shared expert's too */
    READ_BY_COMBINE = 32,
    READ_BY_SIZES = READ_BY_LOGITS | READ_BY_UP | READ_BY_DOWN | READ_BY_COMBINE,
    READ_BY_EXPERTS = READ_BY_UP | READ_BY_DOWN,
    READ_BY_ROWS = READ_BY_CHOICE | READ_BY_SORT | READ_BY_COMBINE,
    READ_BY_SHARED = READ_BY_EXPERTS | READ_BY_COMBINE,
    READ_BY_ALL = 63
};

typedef struct case_property {
    const char *name;
    uint32_t readers; /* READ_BY_* */
    bool by_lanes;    /* the number of lanes can make a difference: not where one number is made of another */
    bool (*holds)(const layer_case *shape);
} case_property;

#define CASE_PROPERTIES_MOST 128

extern const case_property case_properties[];
extern const uint32_t case_property_count;

#endif
