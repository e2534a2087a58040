/* The model's work on the compute queue: one request at a time, slice after slice, its results shown by the frames
 * after it. No call waits for the device. */
#ifndef WINDOW_WORK_H
#define WINDOW_WORK_H

#include "model.h"
#include "swapchain.h"

typedef struct work_slot {
    VkCommandBuffer commands;
    VkFence done;
    VkSemaphore finished; /* the first frame that shows the results waits for it */
    VkQueryPool stamps;
    bool runs, waited_for;           /* waited_for: by a frame, or nothing has run yet */
    model_request request;           /* that runs */
    uint32_t slice;                  /* of it, that is on the device */
    uint64_t version;                /* of the request */
    uint64_t last_frame;             /* that shows it, and one more: 0 none */
    double nanoseconds[MODEL_SIDES]; /* of the layer; 0 where the device has no timestamps */
} work_slot;

typedef struct window_work {
    window_model *model;
    VkCommandPool pool;
    work_slot slots[MODEL_SLOTS];
    int shown; /* the slot with the newest results, -1 before any */
} window_work;

/* Both give false with the model's or the device's error. create may run on the thread that loads. */
bool window_work_create(window_work *work, window_model *model);
void window_work_destroy(window_work *work); /* once the device is idle */

/* Starts a request if nothing runs and a slot is free; *started says so. */
bool window_work_start(window_work *work, const window_swapchain *chain, const model_request *request, uint64_t version,
                       bool *started);

/* Shows results that have come since. */
bool window_work_poll(window_work *work);

bool window_work_runs(const window_work *work);

/* For the frame that is being drawn, which reads the results shown: the semaphores to wait for. */
uint32_t window_work_show(window_work *work, uint64_t frame, VkSemaphore semaphores[MODEL_SLOTS]);

#endif
