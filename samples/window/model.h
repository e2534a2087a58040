/* What the window shows: a model that answers for items (digits or pictures), hard and smooth at once. The rest of the
 * window knows models only by these structs. */
#ifndef WINDOW_MODEL_H
#define WINDOW_MODEL_H

#include "device.h"
#include "interface.h"

enum {
    MODEL_SLOTS = 2,                /* results: one is shown while the next is computed */
    MODEL_POINTS = 512,             /* items of a path, at most */
    MODEL_ITEMS = 1 + MODEL_POINTS, /* item 0 is the one that is looked at */
    MODEL_MAX_BLOCKS = 2,           /* with experts, whose patches are shown: the last ones */
    MODEL_MAX_CLASSES = WINDOW_CLASS_COLOUR_COUNT,
    MODEL_STAMPS = SMOE_STAGE_COUNT + 1 /* timestamps of one side */
};

typedef enum model_side { MODEL_HARD, MODEL_SMOOTH, MODEL_SIDES } model_side;

/* What is asked: plain values, so that nothing is rebuilt when one of them moves. */
typedef struct model_request {
    const float *item, *from, *to; /* [input_size]: the state's, which may change while the request runs */
    double low, high;           /* the part of the path from (0) to (1) that the points divide */
    smoe_forward_params params; /* of the smooth side; the hard one has eps 0 */
} model_request;

/* One side's results in device buffers, for shaders, and what the host has of them once the fence has passed. */
typedef struct model_results {
    compute_buffer answers;      /* float32 [2,items,classes]: logits, then probabilities */
    compute_buffer report;       /* smoe/report.h */
    compute_buffer patches;      /* pictures: of item 0 the reports of its blocks, one behind the other */
    compute_buffer answers_copy; /* all mapped */
    compute_buffer report_copy;
    compute_buffer patches_copy;
} model_results;

/* A block with experts of a model of pictures, whose items have a token for each patch. */
typedef struct model_block {
    uint32_t number; /* in the model */
    smoe_plan_desc plan;
    uint32_t word, words; /* of patches: where its report begins, and how long it is */
} model_block;

/* What head.comp is pushed: probabilities are the softmax of logits / temperature. */
typedef struct head_push {
    uint32_t items, width, classes;
    float temperature;
} head_push;

typedef struct window_model window_model;

/* What a model does. load runs on a thread of its own and may take its time. record never waits: it records one slice
 * of a request, of the model's slice_count, each of which is a submission of its own; the first one takes the request's
 * items, the last one ends with the copies. stamps: MODEL_STAMPS timestamps for each side, or VK_NULL_HANDLE; a model
 * with times of its own leaves them alone. */
typedef struct model_functions {
    bool (*load)(window_model *model);
    bool (*record)(window_model *model, uint32_t slot, uint32_t slice, const model_request *request,
                   VkCommandBuffer commands, VkQueryPool stamps);
    /* Nanoseconds of each side of a request that has ended; NULL: by the stamps. */
    void (*times)(const window_model *model, uint32_t slot, double nanoseconds[MODEL_SIDES]);
    void (*destroy)(window_model *model);
} model_functions;

struct window_model {
    const model_functions *functions;
    window_device *device;
    char error[WINDOW_ERROR_SIZE]; /* why load or record gave false */
    uint32_t input_size, classes;
    uint32_t items;             /* of a request: 1 and the points of the path */
    uint32_t slice_count;       /* of a request */
    uint32_t block_count, grid; /* of pictures: blocks, and patches along a side; 0: items are one token */
    model_block blocks[MODEL_MAX_BLOCKS];
    double megabytes;               /* that a model of pictures takes, once it is loaded */
    const char *const *class_names; /* [classes]; NULL: numbers */
    float temperature, unsure_below; /* of pictures: as their model's file has them */
    smoe_plan_desc plan; /* max_active: the most that the cap may be set to */
    smoe_forward_params defaults;
    model_results results[MODEL_SLOTS][MODEL_SIDES];
    void *own; /* the model's */
};

/* For models. Keeps the first reason, as smoe's lines say more than what follows from them; false. */
bool model_fail(window_model *model, const char *text);
/* A smoe_log's, with the model as user. */
void model_receive_log(void *user, smoe_log_level level, const char *text);
/* smoe's context on the window's device. log: is copied. False after smoe's line. */
bool model_create_context(window_model *model, const smoe_log *log, smoe_context **out);

/* The buffers of results. */
bool model_create_results(window_model *model);
void model_destroy_results(window_model *model);
/* Copies the slot's results to where the host reads them. */
void model_record_copies(window_model *model, uint32_t slot, VkCommandBuffer commands);

#endif
