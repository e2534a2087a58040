/* Jobs on several threads, whose results one thread takes in order. */
#ifndef SMOE_DEVICE_WORK_H
#define SMOE_DEVICE_WORK_H

#include "base/host.h"
#include "smoe/device.h"

/* Slots that keep each of several threads busy while a result is taken, and those of the most threads. */
enum { SMOE_HELPER_THREAD_SLOTS = 2, SMOE_HELPER_SLOTS = SMOE_HELPER_THREAD_SLOTS * SMOE_DEVICE_THREADS };

/* Jobs 0 .. count - 1. A job has a slot, 0 .. slot_count - 1, in which nothing else is until it is finished. */
typedef struct smoe_helper_work {
    uint32_t count;
    void *user;
    /* On any thread: calls neither log nor allocator. */
    smoe_result (*run)(void *user, uint32_t job, uint32_t slot);
    /* On the calling thread, in the order of the jobs, with what run gave. Any result but SMOE_SUCCESS ends the work.
     */
    smoe_result (*finish)(void *user, uint32_t job, uint32_t slot, smoe_result result);
} smoe_helper_work;

/* smoe_device_desc.thread_count as a number of threads. */
uint32_t smoe_helper_thread_count(uint32_t wanted);

/* At most SMOE_HELPER_SLOTS; one where the calling thread is all. */
uint32_t smoe_helper_slot_count(uint32_t threads);

/* Runs all jobs on `threads` threads, the calling one among them, and on fewer where the system has none to give. The
 * first result that finish has not turned into a success, or OUT_OF_HOST_MEMORY with a line of the log. */
smoe_result smoe_helper_work_run(const smoe_host *host, uint32_t threads, const smoe_helper_work *work);

#endif
