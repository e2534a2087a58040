/* Reading and writing layer files: one MoE layer, and optionally inputs and expected results, in safetensors
 * (docs/layer-file.md describes the format). Needs no device. The general rules of smoe.h hold, those on
 * threads too: a smoe_layer_file is immutable once opened, and every function here, in checkpoint.h and in capability_file.h may be called
 * from any thread at the same time.
 *
 * Paths, here and in checkpoint.h, are UTF-8, on Windows too, where either slash separates, they may be longer than MAX_PATH, and
 * one that is not valid UTF-8 is taken in the system's code page. */
#ifndef SMOE_LAYER_FILE_H
#define SMOE_LAYER_FILE_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* safetensors' own types, as far as smoe reads them. */
typedef enum smoe_tensor_type {
    SMOE_TENSOR_FLOAT32 = 0,
    SMOE_TENSOR_FLOAT16 = 1,
    SMOE_TENSOR_FLOAT64 = 2,
    SMOE_TENSOR_INT32 = 3,
    SMOE_TENSOR_UINT8 = 4,
    SMOE_TENSOR_INT64 = 5,
    SMOE_TENSOR_BFLOAT16 = 6
} smoe_tensor_type;

/* The type of weights with such elements; false, and *out as it was, for a type that weights cannot have. */
SMOE_API bool smoe_tensor_type_weights(smoe_tensor_type type, smoe_type *out);

#define SMOE_TENSOR_MAX_RANK 4

/* One tensor. data: row-major, little-endian, aligned to 8 bytes, size bytes; owned by the file it came from. */
typedef struct smoe_tensor {
    const char *name;
    smoe_tensor_type type;
    uint32_t rank;
    uint64_t shape[SMOE_TENSOR_MAX_RANK]; /* unused ones are 1 */
    const void *data;
    uint64_t size;
} smoe_tensor;

typedef struct smoe_layer_file smoe_layer_file;

/* Reads a whole safetensors file and checks its structure: header length, JSON, types, shapes against data_offsets, offsets
 * against the file's size (so that no header can make it allocate more than the file holds), no overlap, no duplicate names.
 * Only a regular file is read: a pipe, a device or a folder is refused at once.
 * Errors: INVALID_ARGUMENT, FILE (the log line has the path and what is wrong), OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_layer_file_open(const char *path, const smoe_allocator *allocator, const smoe_log *log,
                                          smoe_layer_file **out);
SMOE_API void smoe_layer_file_close(smoe_layer_file *file);

/* A tensor by name, NULL if there is none; by index, NULL past the end. Tensors of other types, or of more than
 * SMOE_TENSOR_MAX_RANK axes, are not there. What these give lives until the file is closed. A metadata
 * value by key, NULL if there is none. */
SMOE_API const smoe_tensor *smoe_layer_file_tensor(const smoe_layer_file *file, const char *name);
SMOE_API const smoe_tensor *smoe_layer_file_tensor_at(const smoe_layer_file *file, uint32_t index);
SMOE_API const char *smoe_layer_file_metadata(const smoe_layer_file *file, const char *key);

/* Interprets the file as a layer: shapes come from the tensors, the rest from the metadata; contradictions are errors.
 * Matrices with scales are bytes whose type the metadata names (docs/layer-file.md). plan: filled, with max_tokens = the tokens of x (1
 * without x) and types = the file's; tensors given.ids and given.weights make given_count and given_weights, and max_tokens = their tokens.
 * params: filled, token_count likewise. weights: pointers into the file. Any of the three may be NULL.
 * Errors: INVALID_ARGUMENT, FILE (missing or contradictory), UNSUPPORTED (an activation, type or size smoe does not have). */
SMOE_API smoe_result smoe_layer_file_layer(const smoe_layer_file *file, smoe_plan_desc *plan, smoe_forward_params *params,
                                           smoe_host_weights *weights);

/* Interprets the file's router by the same rules, and looks at nothing that belongs to experts: neither these nor `activation` need be
 * there. plan: as smoe_layer_file_layer fills it, but for what experts have, which is 0: a caller that makes a plan of it adds some.
 * weights: the router's. Errors: likewise. */
SMOE_API smoe_result smoe_layer_file_router(const smoe_layer_file *file, smoe_plan_desc *plan, smoe_forward_params *params,
                                            smoe_host_weights *weights);

/* Writes a safetensors file: tensors in the order given, metadata as pairs of key and value (2 * metadata_count strings). Names, keys
 * and values are UTF-8.
 * They are written beside the file, in its folder, and take its place once they are whole: a call that fails leaves what was there. A
 * link's target is replaced, and the link stays; so do the file's permissions. A device or a pipe is written in place.
 * Errors: INVALID_ARGUMENT, FILE (cannot be written; the log line has the system's reason), OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_layer_file_write(const char *path, const smoe_tensor *tensors, uint32_t tensor_count,
                                           const char *const *metadata, uint32_t metadata_count, const smoe_allocator *allocator,
                                           const smoe_log *log);

/* What a layer file may have beside the layer, of T tokens. smoe_layer_file_tensor finds them as "x", "given.ids" (I32; -1 is
 * SMOE_REPORT_UNUSED) and "given.weights". */
typedef struct smoe_layer_inputs {
    const float *x;             /* [T,D], or NULL */
    const uint32_t *given_ids;  /* [T,R], exactly where the plan has given_count */
    const float *given_weights; /* [T,R], exactly where the plan has given_weights */
} smoe_layer_inputs;

/* Writes a layer, and its inputs (NULL: none), as a layer file that smoe_layer_file_layer reads back: plan, params and weights as
 * smoe_layer_file_layer or smoe_checkpoint_layer_get gave them; T is params->token_count, with inputs 1 .. SMOE_MAX_TOKENS.
 * Errors: as smoe_layer_file_write; INVALID_ARGUMENT also for weights whose rows their type's blocks do not divide. */
SMOE_API smoe_result smoe_layer_file_write_layer(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                                                 const smoe_host_weights *weights, const smoe_layer_inputs *inputs,
                                                 const smoe_allocator *allocator, const smoe_log *log);

#define SMOE_MAX_RESULTS 16 /* of smoe_layer_file_write_router */

/* Writes a layer's router, x and `result_count` more tensors, such as expected.* of docs/layer-file.md, as a file that
 * smoe_layer_file_router reads back. plan, params, weights, inputs: as for smoe_layer_file_write_layer; what belongs to experts is checked,
 * and left out. results: up to SMOE_MAX_RESULTS, with other names than a layer's tensors. Errors: likewise. */
SMOE_API smoe_result smoe_layer_file_write_router(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                                                  const smoe_host_weights *weights, const smoe_layer_inputs *inputs,
                                                  const smoe_tensor *results, uint32_t result_count, const smoe_allocator *allocator,
                                                  const smoe_log *log);

#ifdef __cplusplus
}
#endif

#endif
