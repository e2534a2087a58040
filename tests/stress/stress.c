/* `scons stress`: random layers, on the device as it is, with capabilities masked and acting as others, against the
 * reference; and the same bits twice and in a reversed batch. tests/stress/run.py runs this program on each size of
 * subgroups. */
#include "stress.h"

#include <stdio.h>

#include "common/random.h"
#include "program/options.h"
#include "program/output.h"
#include "program/progress.h"

enum { MOST_FAILURES = 5 };

typedef struct stress_options {
    uint64_t seed;
    double seconds;
    uint32_t plan, values, pairs, list;
    int spoil;
} stress_options;

static const char *spoil_name(int index)
{
    static const char *const names[] = {"nothing", "y", "report", "again", "reversed"};
    return index >= 0 && index < (int)(sizeof names / sizeof names[0]) ? names[index] : NULL;
}

static const program_names spoils = {spoil_name, NULL};

static const program_option options[] = {
    {"--seed", "N", "of everything random", PROGRAM_LARGE(stress_options, seed, 0, PROGRAM_LARGEST), .fallback = "1"},
    {"--seconds", "N", "how long to go on", PROGRAM_NUMBER(stress_options, seconds, 0, 1e9), .fallback = "60"},
    {"--plan", "N", "only this plan, with all of its values", PROGRAM_COUNT(stress_options, plan, 0, 1e9)},
    {"--values", "N", "sets of values for each plan", PROGRAM_COUNT(stress_options, values, 1, 1e6), .fallback = "100"},
    {"--pairs", "N", "end after so many pairs of plan and values", PROGRAM_COUNT(stress_options, pairs, 1, 1e9)},
    {"--list", "N", "run nothing: say what the first N plans have, and whether they are legal",
     PROGRAM_COUNT(stress_options, list, 1, 1e6)},
    {"--spoil", "WHAT", "change this before it is compared: the run must fail",
     PROGRAM_NAME(stress_options, spoil, &spoils), .fallback = "nothing"},
};

static const program_desc program = {
    .name = "stress",
    .about = "Runs random layers on Vulkan and compares them with the reference in double.",
    .usage = {"[options]"},
    .tables = {PROGRAM_TABLE(options)},
};

typedef struct stress_run {
    stress_options options;
    bool one_plan;
    double begin;
    stress_device on;
    bool is_open;
    uint32_t plans, pairs, unsupported, failures;
    check_tally tally;
} stress_run;

static double seconds_of(const stress_run *run)
{
    return (program_now() - run->begin) * 1e-9;
}

static bool is_over(const stress_run *run)
{
    return run->failures >= MOST_FAILURES || (run->options.pairs > 0 && run->pairs >= run->options.pairs) ||
           (run->one_plan ? run->plans + run->unsupported > 0 : seconds_of(run) >= run->options.seconds);
}

static void tell_failure(stress_run *run, uint32_t plan)
{
    program_progress_clear();
    fprintf(stderr, "  plan %u of seed %llu, the device %s\n", plan, (unsigned long long)run->options.seed,
            run->on.name);
    printf("FAILED: stress: seed=%llu plan=%u\n", (unsigned long long)run->options.seed, plan);
    fflush(stdout);
    run->failures++;
}

/* Every set of values, until one fails. A shape that the device does not support is passed over. */
static void run_plan(stress_run *run, uint32_t plan)
{
    const layer_case shape = stress_plan(run->options.seed, plan);
    const smoe_plan_desc desc = case_plan_desc(&shape);
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    const smoe_selection_desc selection = {&run->on.info, &desc, desc.max_tokens, 0};
    if (smoe_select_kernels(&selection, choices, NULL) == SMOE_ERROR_UNSUPPORTED) {
        run->unsupported++;
        return;
    }
    run->plans++;
    for (uint32_t v = 0; v < run->options.values; v++) {
        layer_case values = shape;
        stress_values(run->options.seed, plan, v, &values);
        const uint64_t seed = run->options.seed * 0x9e3779b97f4a7c15u + ((uint64_t)plan << 20) + v;
        if (!stress_pair(&run->on, &values, seed, (stress_spoil)run->options.spoil, &run->tally)) {
            tell_failure(run, plan);
            return;
        }
        run->pairs++;
        program_progress(run->one_plan ? v : seconds_of(run),
                         run->one_plan ? run->options.values : run->options.seconds, NULL);
        if (!run->one_plan && is_over(run))
            return;
    }
}

static const char *groups_of(const smoe_plan_desc *plan)
{
    return plan->balanced_groups > 1 ? "balanced"
           : plan->group_count > 1   ? smoe_group_score_name(plan->group_score)
                                     : "none";
}

static const char *divisor_of(const smoe_plan_desc *plan)
{
    return plan->renormalize_floor > 0 ? "floor"
           : plan->renormalize_add > 0 ? "addend"
           : plan->renormalize         ? "sum"
                                       : "none";
}

static const char *experts_of(const smoe_plan_desc *plan)
{
    const bool limits = plan->gate_max > 0 || plan->up_limit > 0 || plan->gate_limit_after > 0;
    return !plan->gated ? "plain" : limits ? "limited" : "gated";
}

static const char *shared_of(const smoe_plan_desc *plan)
{
    const bool limits = plan->shared_gate_max > 0 || plan->shared_up_limit > 0 || plan->shared_gate_limit_after > 0;
    return plan->shared_hidden == 0 ? "none" : limits ? "limited" : plan->shared_gate ? "weighed" : "plain";
}

/* A word for each choice of the routing's and the experts'. False for a plan that smoe would refuse. */
static bool list_plan(uint64_t seed, uint32_t plan)
{
    const layer_case shape = stress_plan(seed, plan);
    const smoe_plan_desc desc = case_plan_desc(&shape);
    char reason[SMOE_REASON_SIZE];
    printf("router=%s gate=%s groups=%s divisor=%s factors=%s experts=%s shared=%s\n", smoe_router_name(desc.router),
           smoe_gate_name(desc.gate), groups_of(&desc), divisor_of(&desc), desc.expert_scale ? "yes" : "no",
           experts_of(&desc), shared_of(&desc));
    if (smoe_plan_numbers_check(&desc, reason) == SMOE_SUCCESS &&
        smoe_plan_routing_check(&desc, reason) == SMOE_SUCCESS)
        return true;
    program_say("stress", "plan %u: %s", plan, reason);
    return false;
}

static int list_plans(const stress_options *of)
{
    bool good = true;
    for (uint32_t plan = 0; plan < of->list; plan++)
        good = list_plan(of->seed, plan) && good;
    return program_end("stress", good ? PROGRAM_OK : PROGRAM_FAILED);
}

static void close_device(stress_run *run, uint32_t plan)
{
    if (run->is_open && !stress_device_close(&run->on))
        tell_failure(run, plan);
    run->is_open = false;
}

static void run_plans(stress_run *run)
{
    uint32_t plan = run->one_plan ? run->options.plan : 0;
    for (; !is_over(run); plan++) {
        if (!run->is_open || plan % STRESS_PLANS_PER_DEVICE == 0) {
            close_device(run, plan - 1);
            run->is_open = stress_device_open(&run->on, run->options.seed, plan);
            if (!run->is_open) {
                run->failures++;
                return;
            }
        }
        run_plan(run, plan);
    }
    close_device(run, plan - 1);
}

int main(int count, char **arguments)
{
    static stress_run run;
    program_line line;
    program_begin("stress");
    if (!program_read(&program, count, arguments, &run.options, &line))
        return program_end("stress", line.status);
    if (run.options.list)
        return list_plans(&run.options);
    run.one_plan = program_given(&line, "--plan") != NULL;
    program_progress_begin(false);
    run.begin = program_now();
    run_plans(&run);
    program_progress_clear();
    printf("%u plans, %u pairs of plan and values, %llu tokens, %llu excused as ambiguous, %u failures\n", run.plans,
           run.pairs, (unsigned long long)run.tally.tokens, (unsigned long long)run.tally.excused, run.failures);
    /* Few pairs may be of layers that excuse more tokens than those of the table, of which it is 1 in 200. */
    const bool asserts = run.pairs > 0 && (run.one_plan || run.tally.excused * 20 <= run.tally.tokens);
    if (run.failures == 0 && !asserts)
        program_say("stress", "no pair has run, or more than 1 token in 20 is excused: this has shown nothing");
    return program_end("stress", run.failures == 0 && asserts ? PROGRAM_OK : PROGRAM_FAILED);
}
