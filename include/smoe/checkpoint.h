/* Reading one mixture-of-experts layer out of a model's checkpoint: the safetensors files and config.json of Hugging Face, Tutel's names,
 * and GGUF files. docs/checkpoints.md has the formats. Part of libsmoe-file: needs no device. The general rules of smoe.h hold,
 * those on threads too: a smoe_checkpoint is immutable once opened, and every function may be called from any thread at the same time. */
#ifndef SMOE_CHECKPOINT_H
#define SMOE_CHECKPOINT_H

#include "layer_file.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct smoe_checkpoint smoe_checkpoint;

/* Opens a folder (config.json, and model.safetensors, or model.safetensors.index.json with its shards, or without an index
 * model-00001-of-0000N.safetensors and so on), or one file, for which path must end in ".safetensors" (config.json beside it, if there is
 * one, describes it too) or in ".gguf". With any part NAME-00001-of-0000N.gguf of a split GGUF file come all of them. Reads the
 * configuration and the tensors' names, no tensor's data. Shards named by the index lie in the folder or in folders within it. Only
 * regular files are read, as by smoe_layer_file_open.
 * Errors: INVALID_ARGUMENT, FILE (unreadable, damaged), UNSUPPORTED (a model_type or architecture that smoe does not know),
 * OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_checkpoint_open(const char *path, const smoe_allocator *allocator, const smoe_log *log, smoe_checkpoint **out);
SMOE_API void smoe_checkpoint_close(smoe_checkpoint *checkpoint);

/* The checkpoint's format: config.json's model_type, "tutel", or GGUF's general.architecture. Static memory; NULL for NULL. */
SMOE_API const char *smoe_checkpoint_format(const smoe_checkpoint *checkpoint);

/* The files that the checkpoint is read from, for those who must not overwrite them: names within its folder, by index from 0 on, NULL
 * past the last one. A name may come several times, and its file need not be there. Valid until the checkpoint is closed. */
SMOE_API const char *smoe_checkpoint_file(const smoe_checkpoint *checkpoint, uint32_t index);

/* The indices of the layers that have experts, ascending. With layers == NULL, *count receives their number; else at most *count are
 * written and *count becomes the number written. Errors: INVALID_ARGUMENT, OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_checkpoint_layers(const smoe_checkpoint *checkpoint, uint32_t *count, uint32_t *layers);

/* What a checkpoint may leave open: Tutel's say neither, unless the file's metadata has `k` and `activation`. */
typedef struct smoe_checkpoint_options {
    uint32_t top_k;                    /* 0: as the checkpoint has it */
    const smoe_activation *activation; /* NULL: as the checkpoint has it */
} smoe_checkpoint_options;

typedef struct smoe_checkpoint_layer smoe_checkpoint_layer;

/* Reads layer `layer` (as the model counts them, dense ones too), and of the files only its bytes. options may be NULL.
 * The matrices keep the type that the checkpoint has them in, float32, float16 or bfloat16. Those that share one of the plan's types (w1
 * and w3, all experts') become float32 where they differ from one another. GGUF's blocks become the type with scales that holds them
 * exactly (weights_source.h), some rows at a time: no more of the file is in memory; two that share one of the plan's types must have the
 * same one. The router and the biases become float32, which changes no value.
 * What the format or config.json promises must be there and agree. A tensor of the layer's block that smoe does not read gets a warning.
 * Errors: INVALID_ARGUMENT (no such layer, or one without experts; an option needed or impossible), FILE (missing tensors or shards,
 * wrong shapes, contradictions between tensors and config.json), UNSUPPORTED (quantised tensors but for GGUF's, types of GGUF that
 * smoe does not read, an activation or setting it does not have), OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_checkpoint_read(const smoe_checkpoint *checkpoint, uint32_t layer, const smoe_checkpoint_options *options,
                                          smoe_checkpoint_layer **out);
SMOE_API void smoe_checkpoint_layer_destroy(smoe_checkpoint_layer *layer);

/* plan: max_tokens = 1. params: token_count = 1, eps 0 unless the checkpoint was trained with one. weights: pointers into the layer,
 * valid until it is destroyed, also after the checkpoint was closed. Any of the three may be NULL. Errors: INVALID_ARGUMENT. */
SMOE_API smoe_result smoe_checkpoint_layer_get(const smoe_checkpoint_layer *layer, smoe_plan_desc *plan, smoe_forward_params *params,
                                               smoe_host_weights *weights);

#ifdef __cplusplus
}
#endif

#endif
