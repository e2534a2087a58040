/* What a forward has to do at the least: operations by stage, and bytes. README.md says what is counted. */
#include "bench.h"

#include <string.h>

typedef struct tensor_sum {
    double elements, bytes;
} tensor_sum;

/* Tensors whose names in files begin so, or only those of matrices among them. */
static tensor_sum sum_tensors(const bench_preset *preset, const smoe_plan_desc *plan, const char *prefix, bool matrices)
{
    smoe_layer_tensor tensor;
    tensor_sum sum = {0, 0};
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++)
        if (strncmp(tensor.file_name, prefix, strlen(prefix)) == 0 && bench_has_tensor(preset, &tensor) &&
            (tensor.matrix || !matrices)) {
            sum.elements += (double)tensor.element_count;
            sum.bytes += (double)smoe_layer_tensor_size(&tensor, tensor.type, tensor.shape[0]);
        }
    return sum;
}

double bench_expert_bytes(const bench_preset *preset, const smoe_plan_desc *plan)
{
    return sum_tensors(preset, plan, "experts.", false).bytes / plan->expert_count;
}

double bench_shared_bytes(const bench_preset *preset, const smoe_plan_desc *plan)
{
    return sum_tensors(preset, plan, "shared.", false).bytes;
}

double bench_router_bytes(const bench_preset *preset, const smoe_plan_desc *plan)
{
    return sum_tensors(preset, plan, "router.", false).bytes;
}

/* Active experts in all, and distinct ones. */
static bool count_active(const bench_row *row, const uint32_t *report, bench_run *run)
{
    const smoe_plan_desc *plan = &row->plan;
    const size_t stride = SMOE_REPORT_STRIDE(plan->max_active);
    bool seen[SMOE_MAX_EXPERTS] = {false};

    run->active_total = run->active_experts = 0;
    for (uint32_t t = 0; t < row->tokens; t++) {
        const uint32_t *record = report + t * stride;
        const uint32_t active = record[SMOE_REPORT_ACTIVE];
        if (active < plan->top_k || active > plan->max_active)
            return false;
        run->active_total += active;
        for (uint32_t i = 0; i < active; i++) {
            const uint32_t expert = record[SMOE_REPORT_IDS + i];
            if (expert >= plan->expert_count)
                return false;
            run->active_experts += !seen[expert];
            seen[expert] = true;
        }
    }
    return true;
}

static void add_experts(const bench_row *row, bench_run *run)
{
    const smoe_plan_desc *plan = &row->plan;
    const double d = plan->d_model, tokens = row->tokens, shared_rows = plan->shared_hidden > 0 ? tokens : 0;
    const double latent = plan->d_latent, width = latent > 0 ? latent : d, active = (double)run->active_total;
    /* Each hidden element costs as many products in either direction as its expert's input is wide. */
    const double products = active * plan->d_hidden * width + shared_rows * plan->shared_hidden * d;
    run->stage_flop[SMOE_STAGE_ROUTE_LOGITS] += plan->shared_gate ? 2 * tokens * d : 0;
    run->stage_flop[SMOE_STAGE_LATENT_DOWN] = run->stage_flop[SMOE_STAGE_LATENT_UP] = 2 * tokens * d * latent;
    run->stage_flop[SMOE_STAGE_EXPERT_UP] = 2 * products * (plan->gated ? 2 : 1);
    run->stage_flop[SMOE_STAGE_EXPERT_DOWN] = 2 * products;
    run->stage_flop[SMOE_STAGE_LATENT_SUM] = 2 * active * latent;
    run->stage_flop[SMOE_STAGE_COMBINE] = 2 * d * ((latent > 0 ? tokens : active) + shared_rows);
}

/* Routing by itself writes the report, and reads no weights but the router's. */
static void count_bytes(const bench_row *row, bench_run *run)
{
    const smoe_plan_desc *plan = &row->plan;
    const double tokens = row->tokens, x = 4 * tokens * plan->d_model;
    const double report = 4 * tokens * SMOE_REPORT_STRIDE((double)plan->max_active);
    run->bytes = bench_router_bytes(row->preset, plan) + x;
    run->select_bytes = row->route ? 4 * tokens * plan->expert_count + report : 0;
    if (row->route)
        run->bytes += report;
    else
        run->bytes += run->active_experts * bench_expert_bytes(row->preset, plan) +
                      bench_shared_bytes(row->preset, plan) +
                      sum_tensors(row->preset, plan, "latent.", false).bytes + x;
}

/* All matrices of a row have one type. */
static void count_weights_of_experts(const bench_row *row, bench_run *run)
{
    const double ran = row->route ? 0 : (double)run->active_experts / row->plan.expert_count;
    const double shared = row->route ? 0 : 1;
    const tensor_sum routed = sum_tensors(row->preset, &row->plan, "experts.", true);
    const tensor_sum of_shared = sum_tensors(row->preset, &row->plan, "shared.", true),
                     latent = sum_tensors(row->preset, &row->plan, "latent.", true);
    run->weights_bytes = ran * routed.bytes + shared * (of_shared.bytes + latent.bytes);
    run->file_bytes = (ran * routed.elements + shared * (of_shared.elements + latent.elements)) *
                      bench_file_format_of(row->plan.types.up).bits / 8;
}

bool bench_count_work(const bench_row *row, const uint32_t *report, bench_run *run)
{
    const smoe_plan_desc *plan = &row->plan;
    const double d = plan->d_model, e = plan->expert_count, p = plan->projection_width, tokens = row->tokens;
    double *flop = run->stage_flop;

    if (!count_active(row, report, run))
        return false;
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        flop[i] = 0;
    if (plan->router == SMOE_ROUTER_COSINE) {
        flop[SMOE_STAGE_ROUTE_PROJECT] = 2 * tokens * p * d;
        /* the products, and the norms of both sides */
        flop[SMOE_STAGE_ROUTE_LOGITS] = 2 * p * (tokens * e + tokens + e);
    } else {
        flop[SMOE_STAGE_ROUTE_LOGITS] = 2 * tokens * d * e;
    }
    if (!row->route)
        add_experts(row, run);
    run->flop = 0;
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        run->flop += flop[i];
    count_bytes(row, run);
    count_weights_of_experts(row, run);
    return true;
}
