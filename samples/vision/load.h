/* What the files that read a model share: tensors looked up by name and shape, metadata by key. */
#ifndef VISION_LOAD_H
#define VISION_LOAD_H

#include "model.h"

#define LOAD_MAX_TENSORS 4096u
#define LOAD_NAME_SIZE 256u

typedef struct load {
    vision_model *model;
    char prefix[LOAD_NAME_SIZE];             /* what every name begins with, such as "model." */
    bool used[LOAD_MAX_TENSORS];             /* by index in the file */
    bool mixed, has_type;                    /* of the matrices */
    uint32_t expert_layers[VISION_MAX_DEPTH]; /* of the checkpoint */
    uint32_t expert_layer_count;
} load;

/* Each function that returns bool returns false after a line of the model's log that says why not; others NULL. */

/* PATH: and a line. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool load_fail(const load *l, const char *format, ...);

/* ---- tensors (load_tensor.c) ------------------------------------------------------------------------------------- */

/* The prefix by the one name that every model has; fails for a file of too many tensors, or of two models. */
bool load_begin(load *l);

/* A tensor by the name after the prefix, or NULL, silently; counts as used. */
const smoe_tensor *load_find(load *l, const char *name);
/* Whether some name begins so. */
bool load_has_prefix(const load *l, const char *start);

/* A length of 0 in shape takes whatever is there and receives it. */
const smoe_tensor *load_tensor(load *l, const char *name, uint32_t rank, uint64_t *shape);
bool load_vector(load *l, const char *folder, const char *name, uint64_t size, const smoe_tensor **out);
bool load_norm(load *l, const char *folder, uint32_t width, vision_norm *out);
/* rows and columns of 0 are taken from the tensor; the bias is optional. */
bool load_linear(load *l, const char *folder, uint32_t rows, uint32_t columns, vision_linear *out);
/* [rows, channels, size, size]; rows, channels and size of 0 are taken from the tensor. */
bool load_convolution(load *l, const char *folder, uint32_t *channels, uint32_t *size, vision_linear *out);

/* After everything has been found: fails for a tensor that has no place in the model. */
bool load_end(const load *l);

/* ---- metadata (load_metadata.c) ---------------------------------------------------------------------------------- */

bool load_count(const load *l, const char *key, uint32_t otherwise, uint32_t most, uint32_t *out);
/* Fails where the key is there and says something else. */
bool load_agrees(const load *l, const char *key, uint32_t value);
/* Up to `most` numbers separated by commas. Absent: *count is 0. */
bool load_numbers(const load *l, const char *key, uint32_t most, double *out, uint32_t *count);
/* How images become inputs, and the names of classes. */
bool load_preprocessing(load *l);
/* How logits become probabilities, and which of those are unsure. */
bool load_calibration(load *l);

/* ---- experts (load_experts.c) ------------------------------------------------------------------------------------ */

/* Opens the checkpoint, if a block has experts. */
bool load_find_experts(load *l);
/* Whether block `index` is a mixture of experts. */
bool load_is_expert_block(const load *l, uint32_t index);
bool load_experts(load *l, uint32_t index, vision_block *block);

#endif
