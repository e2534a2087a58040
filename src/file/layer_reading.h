/* The interpretation of a safetensors file as a layer: what its parts share. */
#ifndef SMOE_LAYER_READING_H
#define SMOE_LAYER_READING_H

#include "file_internal.h"

/* What one interpretation carries along. result is the first failure; everything after it does nothing. */
typedef struct smoe_layer_reading {
    const smoe_layer_file *file;
    bool router_only; /* smoe_layer_file_router */
    smoe_result result;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
} smoe_layer_reading;

/* Only the first failure has a line. */
#define SMOE_LAYER_READING_FAIL(r, code, ...)                                                                          \
    ((r)->result = (r)->result == SMOE_SUCCESS ? smoe_file_fail(&(r)->file->host, (code), __VA_ARGS__) : (r)->result)

/* ---- metadata: values of keys that may be absent; nothing once something has failed ------------------------------ */

const char *smoe_layer_reading_metadata(const smoe_layer_reading *r, const char *key);
void smoe_layer_reading_float(smoe_layer_reading *r, const char *key, float *out);
uint32_t smoe_layer_reading_count(smoe_layer_reading *r, const char *key, uint32_t least, uint32_t largest,
                                  uint32_t absent);
bool smoe_layer_reading_bool(smoe_layer_reading *r, const char *key, bool absent);
void smoe_layer_reading_require(smoe_layer_reading *r, const char *key);
/* Metadata that repeats what the tensors say. */
void smoe_layer_reading_agree(smoe_layer_reading *r, const char *key, uint32_t value, const char *tensor);

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

/* NULL if there is none, and once something has failed, as a tensor that cannot be read makes it. */
const smoe_tensor *smoe_layer_reading_find(smoe_layer_reading *r, const char *name);
/* A tensor that must be there; lengths of 0 are anything from 1. */
const smoe_tensor *smoe_layer_reading_take(smoe_layer_reading *r, const char *name, uint32_t rank,
                                           const uint64_t *shape);
/* The same, of float32. */
const float *smoe_layer_reading_float32(smoe_layer_reading *r, const char *name, uint32_t rank, const uint64_t *shape);
/* The length of a tensor's axis; 0 for NULL. */
uint32_t smoe_layer_reading_width(smoe_layer_reading *r, const char *name, const smoe_tensor *tensor, uint32_t axis,
                                  const char *what, uint32_t largest);

/* ---- weights with scales ----------------------------------------------------------------------------------------- */

/* Whether the metadata names a matrix's type. */
bool smoe_layer_reading_stored_type(smoe_layer_reading *r, const smoe_layer_tensor *row, smoe_type *out);
/* A width that no shape tells. */
uint32_t smoe_layer_reading_stored_width(smoe_layer_reading *r, const char *key);
/* The bytes of such a matrix, of the layer's index-th tensor; NULL after a failure. All widths but the experts'
 * hidden one are known by then. */
const void *smoe_layer_reading_stored(smoe_layer_reading *r, uint32_t index, smoe_type type);

/* ---- the layer's parts, in the order they are read: later ones need what earlier ones have found ----------------- */

/* The tensors of the layer, by smoe_layer_tensor_get, and what they show of the plan: the router, whether the experts
 * are gated, the shared expert, the widths, the types. */
void smoe_layer_reading_tensors(smoe_layer_reading *r);
/* Metadata that repeats what the tensors say. */
void smoe_layer_reading_compare(smoe_layer_reading *r);
void smoe_layer_reading_groups(smoe_layer_reading *r);
void smoe_layer_reading_params(smoe_layer_reading *r);

#endif
