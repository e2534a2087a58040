/* The pipelines that cases run, each once for each number of lanes. */
#ifndef CASE_PIPELINES_H
#define CASE_PIPELINES_H

#include "case_kernels.h"

typedef struct case_pipeline {
    uint32_t lanes;
    smoe_kernel_config config;
    uint32_t cost;
    uint32_t users; /* chosen sets of rows that run it */
} case_pipeline;

typedef struct case_pipelines {
    case_pipeline *list;
    uint32_t count;
} case_pipelines;

/* Keeps the kernel's pipeline and gives its index. It costs nothing where `made` has it, with users; NULL: nothing is
 * made. There must be room in the list. */
uint32_t case_pipelines_keep(case_pipelines *pipelines, const case_pipelines *made, uint32_t lanes,
                             const case_kernel *kernel);

#endif
