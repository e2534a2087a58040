#include "case_pipelines.h"

#include <string.h>

/* Roughly what compiling costs on lavapipe, in hundredths of a second: it unrolls the rows of a tile, 16-bit weights
 * take twice the depth, and rows are read word by word where they are not aligned. Everything else a run does costs
 * next to nothing. So does a pipeline that is made and not run, as lavapipe compiles most of it at the first dispatch:
 * those of a plan's other token counts do not count. */
static uint32_t compiling_cost(const case_kernel *kernel)
{
    const smoe_kernel_config *config = &kernel->config;
    const bool aligned = config->inputs_aligned && config->weights_aligned;

    if (config->tile_depth > 0) /* a matrix multiplication */
        return (aligned ? 15 : 40) + kernel->rows * (config->weight_type == SMOE_TYPE_FLOAT32 ? 7 : 10);
    return kernel->readers & READ_BY_CHOICE ? 40 : 10;
}

/* The pipeline's index; their count where it is not there. */
static uint32_t find(const case_pipelines *pipelines, uint32_t lanes, const smoe_kernel_config *config)
{
    uint32_t at = 0;

    while (at < pipelines->count &&
           (pipelines->list[at].lanes != lanes || memcmp(&pipelines->list[at].config, config, sizeof *config) != 0))
        at++;
    return at;
}

static bool is_made(const case_pipelines *made, uint32_t lanes, const smoe_kernel_config *config)
{
    const uint32_t at = made ? find(made, lanes, config) : 0;

    return made && at < made->count && made->list[at].users > 0;
}

uint32_t case_pipelines_keep(case_pipelines *pipelines, const case_pipelines *made, uint32_t lanes,
                             const case_kernel *kernel)
{
    const uint32_t at = find(pipelines, lanes, &kernel->config);

    if (at == pipelines->count)
        pipelines->list[pipelines->count++] =
            (case_pipeline){.lanes = lanes,
                            .config = kernel->config,
                            .cost = is_made(made, lanes, &kernel->config) ? 0 : compiling_cost(kernel)};
    return at;
}
