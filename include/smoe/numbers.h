/* The numbers of a forward and of a plan as lists, for files, tools and sliders. Part of smoe.h, which apps include. */
#ifndef SMOE_NUMBERS_H
#define SMOE_NUMBERS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct smoe_plan_desc;      /* smoe.h */
struct smoe_forward_params; /* likewise */

/* ---- of a forward ------------------------------------------------------------------------------------------------------ */

/* A number of smoe_forward_params: what it is called and may be, for files, tools and sliders. */
typedef struct smoe_forward_number {
    const char *name;  /* the member's, and that of layer files' metadata: "tie_tolerance" */
    size_t offset;     /* of the float in smoe_forward_params */
    float least, most; /* legal values, 0 aside */
    bool zero;         /* whether 0 is legal */
    bool groups;       /* only looked at where the layer has groups of experts */
    const char *rule;  /* the same for a message: "0 or 1e-30 .. 1e30" */
} smoe_forward_number;

#define SMOE_MAX_FORWARD_NUMBERS 16 /* there are no more */

/* The index-th number: every float of smoe_forward_params. NULL past the last one. Static memory. Thread safe. */
SMOE_API const smoe_forward_number *smoe_forward_number_get(uint32_t index);

/* The one of this name; NULL where there is none, and for NULL. Static memory. Thread safe. */
SMOE_API const smoe_forward_number *smoe_forward_number_find(const char *name);

/* A number's value in `params`; puts another one there, legal or not; whether a value is legal, which NaN never is. For NULL: NaN, nothing,
 * false. Thread safe. */
SMOE_API float smoe_forward_number_value(const smoe_forward_number *number, const struct smoe_forward_params *params);
SMOE_API void smoe_forward_number_set(const smoe_forward_number *number, struct smoe_forward_params *params, float value);
SMOE_API bool smoe_forward_number_allows(const smoe_forward_number *number, float value);

/* Whether all numbers of `params` are legal, for layers of `plan`: group_eps is only looked at where there are groups, and a temperature
 * other than 1 is the softmax gate's. Errors: INVALID_ARGUMENT, with `reason`, if not NULL, "eps: -1, must be 0 or 1e-30 .. 1e30" or the
 * like. Thread safe. */
SMOE_API smoe_result smoe_forward_numbers_check(const struct smoe_plan_desc *plan, const struct smoe_forward_params *params,
                                                char reason[SMOE_REASON_SIZE]);

/* ---- of a plan --------------------------------------------------------------------------------------------------------- */

/* A number of smoe_plan_desc that 0 switches off: what it is called and may be, for files and tools. */
typedef struct smoe_plan_number {
    const char *name;  /* the member's, and that of layer files' metadata: "gate_max" */
    size_t offset;     /* of the float in smoe_plan_desc */
    bool router;       /* of the router's weights, whatever the experts are */
    bool shared;       /* of the shared expert only */
    float least, most; /* legal values; 0 always is, as if the number were not there */
    const char *rule;  /* the same for a message: "0 or 1e-30 .. 1e30" */
} smoe_plan_number;

#define SMOE_MAX_PLAN_NUMBERS 16 /* there are no more */

/* The index-th number. NULL past the last one. Static memory. Thread safe. */
SMOE_API const smoe_plan_number *smoe_plan_number_get(uint32_t index);

/* A number's value in `plan`; puts another one there, legal or not. For NULL: NaN, nothing. Thread safe. */
SMOE_API float smoe_plan_number_value(const smoe_plan_number *number, const struct smoe_plan_desc *plan);
SMOE_API void smoe_plan_number_set(const smoe_plan_number *number, struct smoe_plan_desc *plan, float value);

/* Whether a plan's numbers are legal by themselves and with its activation, gated, shared_hidden, renormalize and gate. Errors:
 * INVALID_ARGUMENT, with `reason`, if not NULL, "gate_max: 7, must be 0 unless the experts are gated" or the like. Thread safe. */
SMOE_API smoe_result smoe_plan_numbers_check(const struct smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE]);

/* Whether balanced_groups, given_count, given_weights, zero_experts and weighted_input go with the plan's experts, k, cap, groups, gate and
 * renormalize. Errors and `reason`: as smoe_plan_numbers_check. Thread safe. */
SMOE_API smoe_result smoe_plan_routing_check(const struct smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
