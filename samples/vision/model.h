/* A vision transformer as its checkpoint describes it (README.md has the format): shapes checked, nothing converted, no
 * device. */
#ifndef VISION_MODEL_H
#define VISION_MODEL_H

#include "smoe/checkpoint.h"

#define VISION_MAX_DEPTH 64u
#define VISION_MAX_STEM 16u

/* y = x weight^T + bias. weight: F32, F16 or BF16 [rows, columns], bias likewise [rows] or NULL. */
typedef struct vision_linear {
    const smoe_tensor *weight, *bias;
    uint32_t rows, columns;
} vision_linear;

typedef struct vision_norm {
    const smoe_tensor *weight, *bias;
} vision_norm;

/* A 3x3 convolution and a GELU before the patch embedding. */
typedef struct vision_stem {
    vision_linear convolution; /* columns: input channels * 9 */
    uint32_t channels, stride; /* of its input */
    uint32_t residual;         /* r > 0: the input of the layer r - 1 steps earlier is added to the output */
    uint32_t in_width, out_width;
} vision_stem;

/* x += proj(attention(norm1(x))); x += mlp(norm2(x)), where mlp is fc2(gelu(fc1)) or a mixture of experts. */
typedef struct vision_block {
    vision_norm norm1, norm2;
    vision_linear qkv, proj;
    vision_linear fc1, fc2;         /* dense blocks */
    smoe_checkpoint_layer *experts; /* NULL: a dense block */
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
} vision_block;

typedef enum vision_interpolation { VISION_BILINEAR, VISION_BICUBIC } vision_interpolation;

/* How a picture becomes a square: its middle is cut out; or all of it, with borders, or distorted. */
typedef enum vision_fit { VISION_CROP, VISION_PAD, VISION_SQUASH } vision_fit;
const char *vision_fit_name(int fit); /* NULL past the last one */

typedef struct vision_model {
    const char *path;
    smoe_layer_file *file;
    smoe_checkpoint *checkpoint; /* NULL: no block has experts */
    uint32_t image_size, patch_size, width, depth, heads, class_count; /* width: embed_dim */
    uint32_t channels;    /* of the patch embedding's input: 3 without a stem */
    uint32_t grid;        /* patches along a side */
    uint32_t tokens;      /* grid * grid + 1 */
    uint32_t hidden;      /* the widest dense MLP */
    uint32_t stem_count, expert_block_count;
    vision_stem stem[VISION_MAX_STEM];
    vision_linear patch_embed, head;
    const smoe_tensor *class_token, *positions;
    vision_block blocks[VISION_MAX_DEPTH];
    vision_norm norm;
    smoe_type weight_type; /* of the matrices in the file; float32 where they differ */
    /* how images become inputs */
    float mean[3], std[3];
    vision_fit fit;
    double crop_pct; /* of VISION_CROP: what of the shorter side is seen */
    vision_interpolation interpolation;
    char *class_text, **classes; /* [class_count] names, or NULL */
    /* what its answers are worth: probabilities are the softmax of logits / temperature; 1 where the file has none,
     * and then they are not calibrated */
    bool calibrated;
    double temperature, unsure_below; /* unsure where no probability reaches unsure_below; 0: never */
    const smoe_log *log;
} vision_model;

/* Reads a model. False after one line of the log that names the tensor or the metadata key and the rule it broke;
 * the model must still be closed. The log may be NULL, and lives as long as the model. */
bool vision_model_open(vision_model *model, const char *path, const smoe_log *log);
void vision_model_close(vision_model *model);

/* A class's name, or its number written into `number`. */
const char *vision_class_name(const vision_model *model, uint32_t index, char number[16]);

#endif
