#define _POSIX_C_SOURCE 200809L /* clock_gettime, nanosleep */
#include "fake_pipelines.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define MAX_PIPELINES 1024u
#define MAX_CONSTANTS 64u
#define PATIENCE 20 /* seconds */

typedef struct fake_pipeline {
    const uint32_t *code;
    uint32_t constants[MAX_CONSTANTS], constant_count, subgroup_size;
    VkPipelineShaderStageCreateFlags flags;
    bool alive;
} fake_pipeline;

static struct {
    fake_pipeline_counts counts;
    uint32_t fail_at, fail_count, meet, inside;
    VkResult result;
    bool met, slow;
    fake_pipeline pipelines[MAX_PIPELINES];
} state;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrival = PTHREAD_COND_INITIALIZER;

void fake_pipelines_reset(void)
{
    pthread_mutex_lock(&mutex);
    memset(&state, 0, sizeof state);
    pthread_mutex_unlock(&mutex);
}

void fake_pipelines_slow(void)
{
    pthread_mutex_lock(&mutex);
    state.slow = true;
    pthread_mutex_unlock(&mutex);
}

void fake_pipelines_fail(uint32_t index, uint32_t count, VkResult result)
{
    pthread_mutex_lock(&mutex);
    state.fail_at = index;
    state.fail_count = count;
    state.result = result;
    pthread_mutex_unlock(&mutex);
}

void fake_pipelines_meet(uint32_t count)
{
    pthread_mutex_lock(&mutex);
    state.meet = count;
    pthread_mutex_unlock(&mutex);
}

fake_pipeline_counts fake_pipelines_count(void)
{
    pthread_mutex_lock(&mutex);
    const fake_pipeline_counts counts = state.counts;
    pthread_mutex_unlock(&mutex);
    return counts;
}

/* Under the mutex, which it gives up while a call takes its time. */
static VkResult count_call(void)
{
    const struct timespec pause = {0, 1000000};
    const uint32_t call = state.counts.calls++;
    const VkResult result =
        call >= state.fail_at && call - state.fail_at < state.fail_count ? state.result : VK_SUCCESS;
    if (state.slow || result != VK_SUCCESS) {
        pthread_mutex_unlock(&mutex);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&mutex);
    }
    return result;
}

/* Handles: what a module is made of, and the place in the list of pipelines. */
static VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkShaderModule *out)
{
    (void)device, (void)callbacks;
    pthread_mutex_lock(&mutex);
    const VkResult result = count_call();
    state.counts.modules += result == VK_SUCCESS;
    pthread_mutex_unlock(&mutex);
    *out = (VkShaderModule)(uintptr_t)info->pCode;
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_module(VkDevice device, VkShaderModule module,
                                                 const VkAllocationCallbacks *callbacks)
{
    (void)device, (void)module, (void)callbacks;
    pthread_mutex_lock(&mutex);
    state.counts.misused |= state.counts.modules == 0;
    state.counts.modules--;
    pthread_mutex_unlock(&mutex);
}

static fake_pipeline describe(const VkComputePipelineCreateInfo *info)
{
    const VkSpecializationInfo *constants = info->stage.pSpecializationInfo;
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo *subgroup = info->stage.pNext;
    fake_pipeline pipeline;
    memset(&pipeline, 0, sizeof pipeline); /* compared as bytes */
    pipeline.code = (const uint32_t *)(uintptr_t)info->stage.module;
    pipeline.constant_count = (uint32_t)(constants->dataSize / 4);
    memcpy(pipeline.constants, constants->pData, constants->dataSize);
    pipeline.subgroup_size = subgroup ? subgroup->requiredSubgroupSize : 0;
    pipeline.flags = info->stage.flags;
    pipeline.alive = true;
    return pipeline;
}

static void wait_for_others(void)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE;
    if (state.inside >= state.meet)
        state.met = true;
    pthread_cond_broadcast(&arrival);
    for (int status = 0; !state.met && status == 0;)
        status = pthread_cond_timedwait(&arrival, &mutex, &end);
    state.met = true; /* others need not run out of patience too: most_at_once tells */
}

/* Under the mutex. */
static VkResult make_pipeline(const VkComputePipelineCreateInfo *info, VkPipeline *out)
{
    const fake_pipeline pipeline = describe(info);
    const VkResult result = count_call();
    if (result != VK_SUCCESS)
        return result;
    if (state.counts.created == MAX_PIPELINES)
        return VK_ERROR_TOO_MANY_OBJECTS;
    for (uint32_t i = 0; i < state.counts.created; i++)
        state.counts.repeated += memcmp(&state.pipelines[i], &pipeline, sizeof pipeline) == 0;
    state.pipelines[state.counts.created++] = pipeline;
    state.counts.alive++;
    *out = (VkPipeline)(uintptr_t)state.counts.created;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                                       const VkComputePipelineCreateInfo *info,
                                                       const VkAllocationCallbacks *callbacks, VkPipeline *out)
{
    (void)device, (void)cache, (void)callbacks, (void)count;
    *out = VK_NULL_HANDLE;
    pthread_mutex_lock(&mutex);
    state.inside++;
    if (state.inside > state.counts.most_at_once)
        state.counts.most_at_once = state.inside;
    wait_for_others();
    const VkResult result = make_pipeline(info, out);
    state.inside--;
    pthread_mutex_unlock(&mutex);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pipeline(VkDevice device, VkPipeline pipeline,
                                                   const VkAllocationCallbacks *callbacks)
{
    const uintptr_t place = (uintptr_t)pipeline;
    (void)device, (void)callbacks;
    pthread_mutex_lock(&mutex);
    if (place > 0) {
        state.counts.misused |= place > state.counts.created || !state.pipelines[place - 1].alive;
        state.pipelines[place - 1].alive = false;
        state.counts.alive--;
    }
    pthread_mutex_unlock(&mutex);
}

PFN_vkVoidFunction fake_pipeline_function(const char *name)
{
    const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkCreateShaderModule", (PFN_vkVoidFunction)create_module},
        {"vkDestroyShaderModule", (PFN_vkVoidFunction)destroy_module},
        {"vkCreateComputePipelines", (PFN_vkVoidFunction)create_pipelines},
        {"vkDestroyPipeline", (PFN_vkVoidFunction)destroy_pipeline},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(name, functions[i].name) == 0)
            return functions[i].function;
    return NULL;
}
