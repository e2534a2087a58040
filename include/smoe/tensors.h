/* The tensors of a layer as data. Part of smoe.h, which apps include. */
#ifndef SMOE_TENSORS_H
#define SMOE_TENSORS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct smoe_plan_desc; /* this and the next three: smoe.h */
struct smoe_layer_desc;
struct smoe_host_weights;
struct smoe_buffer;

/* A matrix as a host array, laid out as weights.h says, or, of type SMOE_TYPE_SOURCES, a smoe_weights_source for each expert's, or one for
 * the shared expert's: for device.h only, which converts them. NULL: absent; then its type is not looked at. */
typedef struct smoe_host_weight {
    const void *data;
    smoe_type type;
} smoe_host_weight;

/* Whether a plan's layers have a tensor. */
typedef enum smoe_presence {
    SMOE_PRESENCE_REQUIRED = 0,
    SMOE_PRESENCE_OPTIONAL = 1,
    SMOE_PRESENCE_FORBIDDEN = 2
} smoe_presence;

#define SMOE_TENSOR_AXES 3        /* the most that a layer's tensor has */
#define SMOE_MAX_LAYER_TENSORS 32 /* no layer has more */

/* A tensor of a layer as data: for programs that make, load, measure or store a layer's weights in a loop. Texts are static memory. */
typedef struct smoe_layer_tensor {
    const char *name;      /* of the field of smoe_layer_desc and smoe_host_weights: "router_weight" */
    const char *file_name; /* in layer files: "router.weight" */
    /* A letter for each axis, smoe.h's: "EHD", with a latent width "EHL"; P is p; "1" is one number. The tensors experts.* have M entries
     * on the axis E */
    const char *axes;
    bool by_expert;        /* the first axis is E */
    bool router;           /* of the router: smoe_route needs no other tensors' values */
    bool matrix;           /* the fields are a smoe_weight and a smoe_host_weight; else a smoe_buffer and a const float * */
    smoe_presence presence;
    const char *condition; /* where the tensor may be given: "the experts are gated"; NULL: everywhere */
    smoe_type type;        /* the plan's for matrices, else float32 */
    uint32_t axis_count;
    uint32_t shape[SMOE_TENSOR_AXES]; /* unused ones are 1 */
    uint64_t element_count;
    uint64_t size;         /* bytes of its buffer: rounded up to a multiple of 4 */
    size_t layer_offset;   /* of the field in smoe_layer_desc, which begins with the smoe_buffer */
    size_t host_offset;    /* of the field in smoe_host_weights, which begins with the pointer */
    size_t type_offset;    /* matrices: of the type in smoe_plan_desc; two tensors may share it */
} smoe_layer_tensor;

/* The index-th tensor of a plan's layers, in the order of smoe_layer_desc's fields. False past the last one, and for NULL. The plan's
 * numbers are taken as they are: a width that is not known yet may be 0. Thread safe. */
SMOE_API bool smoe_layer_tensor_get(const struct smoe_plan_desc *plan, uint32_t index, smoe_layer_tensor *out);

/* Bytes of a tensor in a type: of its first `count` experts where it is by_expert, else of all of it. 0 for NULL, for a number that
 * is not a type, and where the type's blocks do not divide its rows. Thread safe. */
SMOE_API uint64_t smoe_layer_tensor_size(const smoe_layer_tensor *tensor, smoe_type type, uint64_t count);

/* Whether the arrays are those that a plan's layers have, each of a type that there is; w1 and w3 may differ in type. Errors:
 * INVALID_ARGUMENT, with `reason`, if not NULL, "weights.w3 must not be NULL where the experts are gated" or the like. Thread safe. */
SMOE_API smoe_result smoe_host_weights_check(const struct smoe_plan_desc *plan, const struct smoe_host_weights *weights,
                                             char reason[SMOE_REASON_SIZE]);

/* Reads and writes a tensor's field. NULL for an argument: absent, or nothing is done. Arrays that are no matrices are float32: their type
 * is given so, and not looked at. Thread safe. */
SMOE_API smoe_host_weight smoe_host_weights_get(const struct smoe_host_weights *weights, const smoe_layer_tensor *tensor);
SMOE_API void smoe_host_weights_set(struct smoe_host_weights *weights, const smoe_layer_tensor *tensor, smoe_host_weight array);
SMOE_API void smoe_layer_desc_set(struct smoe_layer_desc *desc, const smoe_layer_tensor *tensor, struct smoe_buffer buffer);
/* For matrices only. */
SMOE_API void smoe_layer_desc_set_ranges(struct smoe_layer_desc *desc, const smoe_layer_tensor *tensor,
                                         const struct smoe_buffer *ranges);

#ifdef __cplusplus
}
#endif

#endif
