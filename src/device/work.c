#include "work.h"

#include "base/arithmetic.h"
#include "base/system.h"

/* All that threads share, under the monitor. */
typedef struct crew {
    const smoe_helper_work *work;
    smoe_system_monitor *monitor;
    uint32_t slot_count;
    uint32_t next, finished; /* jobs that are taken, and whose results are */
    bool stopped;
    bool ready[SMOE_HELPER_SLOTS]; /* the slot has a result */
    smoe_result results[SMOE_HELPER_SLOTS];
} crew;

uint32_t smoe_helper_thread_count(uint32_t wanted)
{
    return smoe_min_u32(wanted ? wanted : smoe_system_processor_count(), SMOE_DEVICE_THREADS);
}

uint32_t smoe_helper_slot_count(uint32_t threads)
{
    return threads > 1 ? SMOE_HELPER_THREAD_SLOTS * threads : 1;
}

static bool may_take(const crew *c)
{
    return c->next < c->work->count && c->next - c->finished < c->slot_count;
}

/* With the lock, which it gives up while the job runs. */
static void take(crew *c)
{
    const uint32_t job = c->next++, slot = job % c->slot_count;
    smoe_system_unlock(c->monitor);
    const smoe_result result = c->work->run(c->work->user, job, slot);
    smoe_system_lock(c->monitor);
    c->results[slot] = result;
    c->ready[slot] = true;
    smoe_system_wake_all(c->monitor);
}

static void help(void *user)
{
    crew *c = user;
    smoe_system_lock(c->monitor);
    while (!c->stopped && c->next < c->work->count) {
        if (may_take(c))
            take(c);
        else
            smoe_system_wait(c->monitor);
    }
    smoe_system_unlock(c->monitor);
}

/* With the lock, as above: the first job that is not finished is ready. */
static smoe_result finish(crew *c)
{
    const uint32_t job = c->finished, slot = job % c->slot_count;
    const smoe_result ran = c->results[slot];
    smoe_system_unlock(c->monitor);
    const smoe_result result = c->work->finish(c->work->user, job, slot, ran);
    smoe_system_lock(c->monitor);
    c->ready[slot] = false;
    c->finished++;
    smoe_system_wake_all(c->monitor);
    return result;
}

static smoe_result lead(crew *c)
{
    smoe_result result = SMOE_SUCCESS;
    smoe_system_lock(c->monitor);
    while (result == SMOE_SUCCESS && c->finished < c->work->count) {
        if (c->ready[c->finished % c->slot_count])
            result = finish(c);
        else if (may_take(c))
            take(c);
        else
            smoe_system_wait(c->monitor);
    }
    c->stopped = true;
    smoe_system_wake_all(c->monitor);
    smoe_system_unlock(c->monitor);
    return result;
}

smoe_result smoe_helper_work_run(const smoe_host *host, uint32_t threads, const smoe_helper_work *work)
{
    smoe_system_thread helpers[SMOE_DEVICE_THREADS];
    crew c = {.work = work, .slot_count = smoe_helper_slot_count(threads)};
    uint32_t count = 0;
    c.monitor = smoe_system_monitor_create(host);
    if (!c.monitor)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "smoe_device_layer_create: no memory for threads");
    while (count + 1 < smoe_min_u32(threads, work->count) && smoe_system_thread_start(&helpers[count], help, &c))
        count++;
    const smoe_result result = lead(&c);
    while (count > 0)
        smoe_system_thread_join(&helpers[--count]);
    smoe_system_monitor_destroy(host, c.monitor);
    return result;
}
