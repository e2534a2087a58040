/* What the engine's files share. */
#ifndef VISION_ENGINE_INTERNAL_H
#define VISION_ENGINE_INTERNAL_H

#include "gpu.h" /* first: it brings volk */

#include "engine.h"

#define DECLARE_UINT uint32_t
#define DECLARE_FLOAT float
typedef struct matmul_push { VISION_MATMUL_FIELDS(DECLARE_UINT, DECLARE_FLOAT) } matmul_push;
typedef struct rows_push { VISION_ROWS_FIELDS(DECLARE_UINT, DECLARE_FLOAT) } rows_push;
typedef struct unfold_push { VISION_UNFOLD_FIELDS(DECLARE_UINT, DECLARE_FLOAT) } unfold_push;
typedef struct tokens_push { VISION_TOKENS_FIELDS(DECLARE_UINT, DECLARE_FLOAT) } tokens_push;

/* ---- weights (engine_weights.c) ---------------------------------------------------------------------------------- */

typedef struct engine_linear {
    gpu_part weight, bias; /* bias.size 0: none */
    uint32_t rows, columns, stride;
} engine_linear;

typedef struct engine_norm {
    gpu_part weight, bias;
} engine_norm;

typedef struct engine_block {
    engine_norm norm1, norm2;
    engine_linear qkv, proj, fc1, fc2;
    gpu_part expert_parts[SMOE_MAX_LAYER_TENSORS]; /* by smoe_layer_tensor_get's index */
    const smoe_plan *plan; /* of this shape; NULL: a dense block */
    smoe_plan *own_plan;   /* NULL where an earlier block has made it */
    smoe_layer *layer;
    smoe_forward_params params; /* where a run does not say */
} engine_block;

/* What a slot has of its own. */
typedef struct engine_slot {
    gpu_part images, logits;
    VkDescriptorSet images_set, logits_set;   /* of the dispatches that read and write them */
    gpu_part reports[VISION_MAX_DEPTH];       /* by block; size 0: none */
    smoe_binding *bindings[VISION_MAX_DEPTH]; /* of the blocks with experts */
} engine_slot;

typedef struct engine_weights {
    gpu_arena arena;
    engine_linear stem[VISION_MAX_STEM], patch_embed, head;
    gpu_part class_token, positions;
    engine_norm norm;
} engine_weights;

/* ---- work (engine_plan.c) ---------------------------------------------------------------------------------------- */

typedef enum engine_pipeline {
    PIPELINE_MATMUL,             /* weights of the engine's type */
    PIPELINE_MATMUL_ACTIVATIONS, /* activations, float32, in place of weights */
    PIPELINE_MATMUL_TRANSPOSED,  /* likewise */
    PIPELINE_LAYER_NORM,
    PIPELINE_SOFTMAX,
    PIPELINE_UNFOLD,
    PIPELINE_TOKENS,
    PIPELINE_ADD,
    PIPELINE_COUNT,
    PIPELINE_EXPERTS = PIPELINE_COUNT /* a block's smoe_forward, no pipeline of ours */
} engine_pipeline;

/* One dispatch. The push block begins with its rows: `rows`, times the images where z is 0. But for matrix
 * multiplications, a workgroup goes on until there are no rows left. */
typedef struct engine_op {
    vision_stage stage;
    engine_pipeline pipeline;
    uint32_t rows, z;       /* rows of work; z: groups along z per image, or 0 */
    uint32_t column_groups; /* groups along x */
    uint32_t group_rows;    /* rows of a group */
    uint32_t block;         /* PIPELINE_EXPERTS */
    gpu_part parts[VISION_BINDING_BUFFERS];
    VkBufferView texels[2]; /* of input and weights; VK_NULL_HANDLE where the shader does not use them */
    VkDescriptorSet set;    /* VK_NULL_HANDLE: the slot's */
    union {
        uint32_t rows_now;
        matmul_push matmul;
        rows_push reduce;
        unfold_push unfold;
        tokens_push tokens;
    } push;
} engine_op;

#define ENGINE_MAX_GROUPS 65535u /* Vulkan's floor of maxComputeWorkGroupCount */
#define ENGINE_MAX_OPS (16 + 2 * VISION_MAX_STEM + 9 * VISION_MAX_DEPTH)

/* Activations, in one arena. */
typedef struct engine_activations {
    gpu_arena arena;
    gpu_part unfolded, stem[VISION_MAX_STEM], patches;
    gpu_part x, x_attended; /* the residual stream before and after a block's attention */
    gpu_part normed, qkv, scores, attended, hidden, expert_output, class_rows, workspace;
} engine_activations;

struct vision_engine {
    gpu *gpu;
    const vision_model *model;
    vision_engine_desc desc; /* max_batch and slots: as they are */
    engine_weights weights;
    engine_block blocks[VISION_MAX_DEPTH];
    engine_activations activations;
    gpu_arena host;          /* images in; logits and reports out */
    engine_slot *slots;
    gpu_arena staging;       /* while weights are uploaded */
    bool cpu, broadcast;     /* matmul_broadcast rather than matmul_tiled */
    uint32_t tile_rows, tile_columns; /* its tile */
    VkPipeline pipelines[PIPELINE_COUNT];
    VkDescriptorPool descriptor_pool;
    VkQueryPool stamps;            /* of each slot one more than there are ops; VK_NULL_HANDLE without timestamps */
    engine_op ops[ENGINE_MAX_OPS]; /* the first reads the images, the last writes the logits */
    uint32_t op_count;
};

static inline uint32_t engine_divide_up(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

/* Rows of activations begin at multiples of 4 floats. */
static inline uint32_t engine_round_up(uint32_t a)
{
    return engine_divide_up(a, 4) * 4;
}

/* The driver takes its time over the blocks' pipelines and then this folder's. */
static inline void engine_show_compiling(const vision_engine *engine, uint32_t done)
{
    if (engine->desc.progress)
        engine->desc.progress(engine->desc.user, done, engine->model->depth + PIPELINE_COUNT);
}

/* All return false after a line of the log that says why. */
bool engine_plan_weights(vision_engine *engine);   /* parts of the arena, before it is allocated */
bool engine_upload_weights(vision_engine *engine);
/* smoe's plans too: the largest batch, of those asked for, that fits. */
bool engine_plan_memory(vision_engine *engine);
bool engine_allocate_memory(vision_engine *engine); /* and uploads the weights */
void engine_choose_kernels(vision_engine *engine); /* before anything is planned */
bool engine_create_pipelines(vision_engine *engine);
/* The list of dispatches, and their descriptor sets. */
bool engine_plan_work(vision_engine *engine);
/* smoe's plans, for the engine's max_batch; then, once there is memory, layers and bindings. */
bool engine_plan_experts(vision_engine *engine);
bool engine_create_experts(vision_engine *engine);
void engine_destroy_plans(vision_engine *engine);
void engine_destroy_experts(vision_engine *engine);

#endif
