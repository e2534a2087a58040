/* The results as text. */
#include "bench.h"
#include "read/results.h"

#include <smoe/capability_file.h>

#include <math.h>
#include <string.h>

#define MILLI 1e-6 /* of a nanosecond */

/* A share as "12.3 %", "-" for 0: its peak is not known. Gives `text`. */
static const char *share(char text[16], double value)
{
    if (value > 0)
        snprintf(text, 16, "%.3g %%", 100 * value);
    else
        snprintf(text, 16, "-");
    return text;
}

static const char *rate(char text[16], double amount, double nanoseconds)
{
    if (nanoseconds > 0)
        snprintf(text, 16, "%.4g", amount / nanoseconds);
    else
        snprintf(text, 16, "-");
    return text;
}

static void print_mask(FILE *out, uint32_t mask)
{
    const char *name;
    fprintf(out, "masked:");
    for (uint32_t bit = 1; (name = smoe_capability_name(bit)) != NULL; bit *= 2)
        if (mask & bit)
            fprintf(out, " %s", name);
    fprintf(out, "\n");
}

void bench_print_device(FILE *out, const bench_result *result)
{
    const smoe_device_info *info = &result->info;
    const char *commit = bench_commit();

    fprintf(out, "smoe-bench %d.%d.%d%s%s\n", SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH,
            *commit ? ", commit " : "", commit);
    fprintf(out, "device: %s, %s %s, version 0x%x\n", info->name,
            info->driver_name[0] ? info->driver_name : "unnamed driver", info->driver_info, info->driver_version);
    if (result->mask)
        print_mask(out, result->mask);
    if (info->timestamp_period <= 0)
        fprintf(out, "no timestamps on this device: times are the host's\n");
    bench_print_peaks(out, &result->peaks);
    fflush(out);
}

static void print_title(FILE *out, const bench_row *row)
{
    const smoe_plan_desc *plan = &row->plan;
    char routing[RESULTS_ROUTING_SIZE], cut[24] = "";
    bench_describe_routing(plan, routing);
    if (plan->expert_count < row->preset->plan.expert_count)
        snprintf(cut, sizeof cut, " of %u", row->preset->plan.expert_count);
    fprintf(out, "\n%s, T = %u, %s: D %u, H %u, E %u%s, k %u, at most %u active, %s%s%s%s%s\n", row->preset->name,
            row->tokens, smoe_type_short_name(plan->types.up), plan->d_model, plan->d_hidden, plan->expert_count, cut,
            plan->top_k, plan->max_active, plan->gated ? "gated " : "", smoe_activation_name(plan->activation),
            row->preset->biases ? ", biases" : "", routing[0] ? ", " : "", routing);
}

/* "12.3 ms" and its spread. */
static void print_time(FILE *out, const bench_spread *time)
{
    char spread[40];
    snprintf(spread, sizeof spread, "(%.4g .. %.4g)", time->p10 * MILLI, time->p90 * MILLI);
    fprintf(out, "  %9.4g %-21s", time->median * MILLI, spread);
}

static double stage_share(const bench_result *result, const bench_row *row, const bench_run *run, int stage)
{
    double flop[SMOE_STAGE_COUNT] = {0};
    flop[stage] = run->stage_flop[stage];
    return bench_share_of_operations(&result->peaks, row->kernels, flop, run->stage[stage].median);
}

static void print_stage(FILE *out, const bench_result *result, const bench_row *row, int stage)
{
    const char *name = smoe_stage_name((smoe_stage)stage);
    /* of kernels */
    const char *family =
        smoe_stage_name(stage == SMOE_STAGE_ROUTE_PROJECT ? SMOE_STAGE_ROUTE_LOGITS : (smoe_stage)stage);
    const smoe_kernel_choice *kernel = &row->kernels[stage];
    const size_t prefix = strlen(family);
    char variant[64], text[16];

    const char *rest = strncmp(kernel->name, family, prefix) == 0 ? kernel->name + prefix : kernel->name;
    rest += *rest == '_';
    if (kernel->tile_rows && kernel->tile_columns && kernel->tile_depth)
        snprintf(variant, sizeof variant, "%s %ux%ux%u", rest, kernel->tile_rows, kernel->tile_columns,
                 kernel->tile_depth);
    else if (kernel->tile_rows && kernel->tile_columns)
        snprintf(variant, sizeof variant, "%s %ux%u", rest, kernel->tile_rows, kernel->tile_columns);
    else
        snprintf(variant, sizeof variant, "%s", rest);
    fprintf(out, "  %-13s %-20s", name, variant);
    for (int i = 0; i < BENCH_ROUTING_COUNT; i++) {
        const bench_run *run = &row->runs[i];
        if (run->unsupported[0])
            continue;
        print_time(out, &run->stage[stage]);
        fprintf(out, " %8s",
                run->stage_flop[stage] > 0 ? rate(text, run->stage_flop[stage], run->stage[stage].median) : "");
        fprintf(out, " %8s", run->stage_flop[stage] > 0 ? share(text, stage_share(result, row, run, stage)) : "");
    }
    fprintf(out, "\n");
}

static void print_total(FILE *out, const bench_result *result, const bench_row *row, const char *name, bool device)
{
    char text[16];
    fprintf(out, "  %-34s", name);
    for (int i = 0; i < BENCH_ROUTING_COUNT; i++) {
        const bench_run *run = &row->runs[i];
        const bench_spread *time = device ? &run->device : &run->host;
        if (run->unsupported[0])
            continue;
        print_time(out, time);
        fprintf(out, " %8s", rate(text, run->flop, time->median));
        fprintf(out, " %8s",
                share(text, bench_share_of_operations(&result->peaks, row->kernels, run->stage_flop, time->median)));
    }
    fprintf(out, "\n");
}

/* How far the times may be trusted. */
static void print_noise(FILE *out, const bench_run *run)
{
    if (!isnan(run->median_error))
        fprintf(out, ", median within %.2g %%", 100 * run->median_error);
    if (run->drift > 1 + RESULTS_DRIFT || (run->drift > 0 && run->drift < 1 - RESULTS_DRIFT))
        fprintf(out, "; NOT STEADY: %.3g times its first tenth", run->drift);
    if (run->clock > 0)
        fprintf(out, "; %.4g MHz", run->clock / 1e6);
    fprintf(out, "\n");
}

/* What only routing alone has. */
static void print_routing(FILE *out, const bench_result *result, const bench_row *row, const bench_run *run)
{
    const double select = run->stage[SMOE_STAGE_ROUTE_SELECT].median;
    char text[16];
    fprintf(out, "    %.4g ns per token", bench_run_time(run) / row->tokens);
    if (select > 0)
        fprintf(out, "; route_select %.4g ns, %s of the peak's bytes", select / row->tokens,
                share(text, bench_share_of_bytes(&result->peaks, run->select_bytes, select)));
    fprintf(out, "\n");
}

/* What the experts' matrices are in memory and in files. */
static void print_weights(FILE *out, const bench_row *row, const bench_run *run)
{
    const bench_file_format format = bench_file_format_of(row->plan.types.up);
    if (run->file_bytes > 0)
        fprintf(out, "    weights: %.4g MB, %.4g MB as %s of %.4g bits: %.3g s for a GB of those\n",
                run->weights_bytes / 1e6, run->file_bytes / 1e6, format.name, format.bits,
                bench_run_time(run) / run->file_bytes);
}

static void print_check(FILE *out, const bench_check *check)
{
    if (check->unmade[0])
        fprintf(out, "    not checked: %s\n", check->unmade);
    else if (check->wrong[0])
        fprintf(out, "    WRONG: %s\n", check->wrong);
    else
        fprintf(out, "    checked: %u tokens (%u excused); y is off by %.3g of %.3g allowed\n", check->tokens,
                check->excused, check->difference, check->allowed);
}

void bench_print_row(FILE *out, const bench_result *result, const bench_row *row)
{
    print_title(out, row);
    if (row->unsupported[0]) {
        fprintf(out, "  unsupported: %s\n", row->unsupported);
        return;
    }
    fprintf(out, "  plan: %.4g ms, again %.4g ms\n", row->plan_times.first / 1e6, row->plan_times.again / 1e6);
    fprintf(out, "  %-34s", "");
    for (int i = 0; i < BENCH_ROUTING_COUNT; i++) {
        const bench_run *run = &row->runs[i];
        char text[64];
        if (run->unsupported[0])
            continue;
        if (i == BENCH_HARD)
            snprintf(text, sizeof text, "hard, ms (p10 .. p90)");
        else
            snprintf(text, sizeof text, "smooth, eps %.4g", (double)run->eps);
        fprintf(out, "  %-31s %8s %8s", text, "GFLOP/s", "of peak");
    }
    fprintf(out, "\n");
    for (int stage = 0; stage < SMOE_STAGE_COUNT && row->runs[BENCH_HARD].device.median > 0; stage++)
        if (row->kernels[stage].name[0])
            print_stage(out, result, row, stage);
    if (row->runs[BENCH_HARD].device.median > 0)
        print_total(out, result, row, "layer, device", true);
    print_total(out, result, row, "layer, host", false);
    for (int i = 0; i < BENCH_ROUTING_COUNT; i++) {
        const bench_run *run = &row->runs[i];
        char text[16];
        if (run->unsupported[0]) {
            fprintf(out, "  %s: unsupported: %s\n", results_routing_names[i], run->unsupported);
            continue;
        }
        fprintf(out, "  %s: %.4g experts per token, %u of %u run; ", results_routing_names[i],
                (double)run->active_total / row->tokens, run->active_experts, row->plan.expert_count);
        if (run->group_eps > 0)
            fprintf(out, "group eps %.4g; ", (double)run->group_eps);
        fprintf(out, "%.4g MB at least, %s GB/s, ", run->bytes / 1e6, rate(text, run->bytes, bench_run_time(run)));
        fprintf(out, "%s of the peak; %u forwards",
                share(text, bench_share_of_bytes(&result->peaks, run->bytes, bench_run_time(run))),
                run->repeat_count);
        print_noise(out, run);
        print_weights(out, row, run);
        print_check(out, &run->check);
        if (row->route)
            print_routing(out, result, row, run);
    }
    if (row->time_ratio > 0)
        fprintf(out, "  smooth over hard: %.3f times the time, %.3f times the experts\n", row->time_ratio,
                row->active_ratio);
    if (row->totals_ratio > 0)
        fprintf(out, "  hard with totals over hard without: %.3f times the time\n", row->totals_ratio);
    if (row->mixed_ratio > 0)
        fprintf(out, "  hard with mixed precision over hard without: %.3f times the time\n", row->mixed_ratio);
    fflush(out);
}

static void print_summary_run(FILE *out, const bench_result *result, const bench_row *row, int routing)
{
    const bench_run *run = &row->runs[routing];
    const double time = bench_run_time(run);
    char text[16], spread[40];

    fprintf(out, "%-17s %5u %-8s %-6s", row->preset->name, row->tokens, smoe_type_short_name(row->plan.types.up),
            results_routing_names[routing]);
    if (row->unsupported[0] || run->unsupported[0]) {
        fprintf(out, "  unsupported: %s\n", row->unsupported[0] ? row->unsupported : run->unsupported);
        return;
    }
    const bench_spread *shown = run->device.median > 0 ? &run->device : &run->host;
    snprintf(spread, sizeof spread, "(%.4g .. %.4g)", shown->p10 * MILLI, shown->p90 * MILLI);
    fprintf(out, " %7.3f %9.4g %-20s %9.4g", (double)run->active_total / row->tokens, time * MILLI, spread,
            run->host.median * MILLI);
    fprintf(out, " %8s", rate(text, run->flop, time));
    fprintf(out, " %7s", share(text, bench_share_of_operations(&result->peaks, row->kernels, run->stage_flop, time)));
    fprintf(out, " %7s", rate(text, run->bytes, time));
    fprintf(out, " %7s", share(text, bench_share_of_bytes(&result->peaks, run->bytes, time)));
    fprintf(out, " %9s", rate(text, time, run->file_bytes));
    if (routing == BENCH_SMOOTH)
        fprintf(out, "  %.3f / %.3f", row->time_ratio, row->active_ratio);
    if (run->check.wrong[0])
        fprintf(out, "  WRONG");
    fprintf(out, "\n");
}

void bench_print_summary(FILE *out, const bench_result *result, bool titled)
{
    if (titled)
        fprintf(out, "\n%s%s\n", result->info.name, result->mask ? ", masked" : "");
    fprintf(out, "\n%-17s %5s %-8s %-6s %7s %9s %-20s %9s %8s %7s %7s %7s %9s  %s\n", "layer", "T", "w", "", "experts",
            "ms", "(p10 .. p90)", "host ms", "GFLOP/s", "of peak", "GB/s", "of peak", "s / GB",
            "smooth / hard: time, experts");
    for (size_t i = 0; i < result->row_count; i++)
        for (int routing = 0; routing < BENCH_ROUTING_COUNT; routing++)
            if (routing == BENCH_HARD || !result->rows[i].unsupported[0])
                print_summary_run(out, result, &result->rows[i], routing);
    fflush(out);
}
