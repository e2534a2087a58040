/* The pipelines of the fake device: nothing is compiled, all is counted, and a call can fail, or wait for another one.
 * Any thread may call. */
#ifndef UNIT_FAKE_PIPELINES_H
#define UNIT_FAKE_PIPELINES_H

#include <smoe/smoe.h>

typedef struct fake_pipeline_counts {
    uint32_t calls;            /* of vkCreateShaderModule and vkCreateComputePipelines, those that failed too */
    uint32_t created;          /* pipelines */
    uint32_t repeated;         /* pipelines of a shader, constants and subgroups that one alive has */
    uint32_t modules, alive;   /* shader modules and pipelines alive */
    uint32_t most_at_once;     /* calls of vkCreateComputePipelines at the same time */
    bool misused;              /* something was destroyed that is not alive */
} fake_pipeline_counts;

/* Starts over: nothing fails, nothing waits. */
void fake_pipelines_reset(void);

/* Every call takes its time, so that others come to wait for it. */
void fake_pipelines_slow(void);

/* `count` calls, from the index-th of all on, fail with this result. They take their time too. */
void fake_pipelines_fail(uint32_t index, uint32_t count, VkResult result);

/* Every vkCreateComputePipelines waits until so many have been called at the same time, once; or until it has waited
 * for too long. */
void fake_pipelines_meet(uint32_t count);

fake_pipeline_counts fake_pipelines_count(void);

PFN_vkVoidFunction fake_pipeline_function(const char *name); /* NULL: none of pipelines */

#endif
