/* What does not fit is said before anything is allocated: running out of memory in earnest takes other programs
 * along. */
#include "bench.h"

#define GIGA 1e9

typedef struct needs {
    double total, largest;
    const char *largest_name;
} needs;

static void add(needs *sum, const char *name, double bytes)
{
    sum->total += bytes;
    if (bytes > sum->largest) {
        sum->largest = bytes;
        sum->largest_name = name;
    }
}

static needs device_needs(const smoe_device_info *info, const bench_options *options, const bench_preset *preset,
                          const smoe_plan_desc *plan)
{
    const double d = plan->d_model, h = plan->d_hidden, e = plan->expert_count, tokens = plan->max_tokens,
                 shared = plan->shared_hidden;
    const double range = (double)info->max_storage_buffer_range;
    smoe_layer_tensor tensor;
    needs sum = {0};

    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++)
        if (bench_has_tensor(preset, &tensor))
            add(&sum, tensor.name, (double)tensor.size);
    add(&sum, "x", 4 * tokens * d);
    add(&sum, "y", 4 * tokens * d);
    add(&sum, "the report", 4 * tokens * SMOE_REPORT_STRIDE((double)plan->max_active));
    /* Hidden rows, experts' rows and the control buffer; each of the three lies within a storage buffer range. */
    const double rows = tokens * plan->max_active, shared_rows = shared > 0 ? tokens : 0;
    const double hidden = 4 * (rows * h + shared_rows * shared), outputs = 4 * (rows + shared_rows) * d;
    const double control = 4 * (tokens * (e + plan->projection_width + plan->group_count + 8) + 8 * rows);
    add(&sum, "the workspace",
        (hidden < range ? hidden : range) + (outputs < range ? outputs : range) + (control < range ? control : range));
    if (options->totals || options->mixed_precision) /* the same layer without */
        sum.total *= 2;
    return sum;
}

bool bench_is_unsupported(const smoe_device_info *info, const bench_options *options, const bench_preset *preset,
                          const smoe_plan_desc *plan, char reason[BENCH_REASON_SIZE])
{
    smoe_kernel_choice kernels[SMOE_STAGE_COUNT];
    char text[SMOE_REASON_SIZE] = "";
    const smoe_result result =
        smoe_select_kernels(&(smoe_selection_desc){info, plan, plan->max_tokens, 0}, kernels, text);
    const needs device = device_needs(info, options, preset, plan);
    const double share = options->memory, device_memory = (double)info->device_memory_size;
    const bool shared =
        info->type == VK_PHYSICAL_DEVICE_TYPE_CPU || info->type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    const double inputs = 4 * 3.0 * plan->max_tokens * plan->d_model;
    const double host =
        bench_weights_bytes(preset, plan->types.up, options->peer_data) + inputs + (shared ? device.total : 0);
    const double host_memory = bench_physical_memory();

    if (result != SMOE_SUCCESS)
        snprintf(reason, BENCH_REASON_SIZE, "%s", text[0] ? text : smoe_result_text(result));
    else if (info->max_allocation_size > 0 && device.largest > (double)info->max_allocation_size)
        snprintf(reason, BENCH_REASON_SIZE, "%s is %.2f GB, the device's largest allocation %.2f GB",
                 device.largest_name, device.largest / GIGA, (double)info->max_allocation_size / GIGA);
    else if (device_memory > 0 && device.total > share * device_memory)
        snprintf(reason, BENCH_REASON_SIZE,
                 "needs %.2f GB of device memory, more than %.3g %% of its %.2f GB (--memory)", device.total / GIGA,
                 100 * share, device_memory / GIGA);
    else if (host_memory > 0 && host > share * host_memory)
        snprintf(reason, BENCH_REASON_SIZE, "needs %.2f GB of host memory, more than %.3g %% of its %.2f GB (--memory)",
                 host / GIGA, 100 * share, host_memory / GIGA);
    else
        return false;
    return true;
}
