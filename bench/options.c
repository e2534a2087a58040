/* The command line. */
#include "bench.h"
#include "options_rules.h"
#include "program/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A whole number at *text, which moves behind it. */
static bool read_count(const char **text, uint32_t largest, uint32_t *out)
{
    const size_t digits = strspn(*text, "0123456789");
    if (digits < 1 || digits > 9)
        return false;
    const unsigned long number = strtoul(*text, NULL, 10);
    *text += digits;
    *out = (uint32_t)number;
    return number >= 1 && number <= largest;
}

/* E,k,D,H,T[,gated]: in the order of the peer's program. */
static bool set_shape(const program_option *option, const char *value, void *to, char rule[PROGRAM_RULE_SIZE])
{
    bench_options *options = to;
    bench_preset shape = bench_new_shape;
    smoe_plan_desc *plan = &shape.plan;
    const struct {
        uint32_t *field, largest;
    } fields[] = {{&plan->expert_count, SMOE_MAX_EXPERTS},
                  {&plan->top_k, SMOE_MAX_EXPERTS},
                  {&plan->d_model, SMOE_MAX_WIDTH},
                  {&plan->d_hidden, SMOE_MAX_WIDTH},
                  {&shape.tokens[0], SMOE_MAX_TOKENS}};
    const char *at = value;

    (void)option;
    snprintf(rule, PROGRAM_RULE_SIZE, "must be given %d times at most", BENCH_MAX_SHAPES);
    if (options->shape_count == BENCH_MAX_SHAPES)
        return false;
    snprintf(rule, PROGRAM_RULE_SIZE,
             "must be E,k,D,H,T or E,k,D,H,T,gated with 1 <= k <= E <= %u, D and H up to %u, T up to %u",
             SMOE_MAX_EXPERTS, SMOE_MAX_WIDTH, SMOE_MAX_TOKENS);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if ((i > 0 && *at++ != ',') || !read_count(&at, fields[i].largest, fields[i].field))
            return false;
    plan->gated = strcmp(at, ",gated") == 0;
    if ((*at && !plan->gated) || plan->top_k > plan->expert_count)
        return false;
    options->shapes[options->shape_count++] = shape;
    return true;
}

static const char *preset_name(int index)
{
    return (size_t)index < bench_preset_count ? bench_presets[index].name : NULL;
}

static const program_names presets = {.name = preset_name};

static const char *format_name(int index)
{
    static const char *const names[] = {"table", "csv", "md", "jsonl"};
    return (size_t)index < sizeof names / sizeof *names ? names[index] : NULL;
}

const program_names bench_formats = {.name = format_name};

static const program_option option_rows[] = {
    PROGRAM_HEADING("what is timed:"),
    {"--list", NULL, "print the presets, and time nothing", PROGRAM_FLAG(bench_options, list)},
    {"--preset", "NAME,NAME", "only these", PROGRAM_SET(bench_options, presets, &presets)},
    {"--shape", "E,k,D,H,T[,gated]",
     "a layer of your own in place of the presets: silu, renormalised, no biases; may stand several times",
     PROGRAM_OTHER(set_shape)},
    {"--route", NULL, "only the routing, with its report; without --preset and --shape over --experts and --top-k",
     PROGRAM_FLAG(bench_options, route)},
    {"--tokens", "T,T", "in place of the preset's own", PROGRAM_COUNTS(bench_options, tokens, 1, SMOE_MAX_TOKENS)},
    {"--weights", "TYPE,TYPE", "only these, or all [all without scales, and the preset's own]",
     PROGRAM_SET(bench_options, weights, &program_types)},
    {"--fit", NULL, "a layer that does not fit has half as many experts, as often as it takes; its rows say so",
     PROGRAM_FLAG(bench_options, fit)},
    {"--hard", NULL, "hard routing only", PROGRAM_FLAG(bench_options, hard_only)},
    {"--max-active", "A,A", "most experts that may run for a token [k + 4]",
     PROGRAM_COUNTS(bench_options, max_active, 1, SMOE_MAX_EXPERTS)},
    {"--expected-active", "A,A",
     "experts that a token of the smooth run is expected to run: its tiles are chosen for so many [k]",
     PROGRAM_COUNTS(bench_options, expected_active, 1, SMOE_MAX_EXPERTS)},
    {"--eps", "X,X", "the smooth run's band width [half an extra expert per token]",
     PROGRAM_FORWARDS(bench_options, eps)},
    {"--group-eps", "X,X", "its band width for groups of experts [eps as it would be with hard groups]",
     PROGRAM_FORWARDS(bench_options, group_eps)},
    {"--experts", "E,E", "of --route [8:1024*2]", PROGRAM_COUNTS(bench_options, experts, 1, SMOE_MAX_EXPERTS)},
    {"--top-k", "K,K", "of --route, as far as there are experts [1:16*2]",
     PROGRAM_COUNTS(bench_options, top_k, 1, SMOE_MAX_EXPERTS)},
    {"--totals", NULL, "forwards add to totals; hard ones are timed without them too (twice the weights)",
     PROGRAM_FLAG(bench_options, totals)},
    {"--mixed-precision", NULL,
     "inputs, and weights with scales, may be rounded to 16 bits; hard ones are timed without that too (twice the "
     "weights)",
     PROGRAM_FLAG(bench_options, mixed_precision)},
    PROGRAM_HEADING("how:"),
    {"--device", "N|NAME|UUID", "which device, smoe-devices lists them, or all; may stand several times [best]",
     PROGRAM_TEXTS(bench_options, devices)},
    {"--seconds", "S", "time for each row at most; three forwards at least",
     PROGRAM_NUMBER(bench_options, seconds, 0, 3600), .above = true, .fallback = "1"},
    {"--error", "X", "a row is over once its medians are this certain: their standard error over the median",
     PROGRAM_NUMBER(bench_options, error, 0, 1), .fallback = "0.01"},
    {"--repeat", "N", "N forwards each, however long they take; the peak's kernels run N times too, 24 at most",
     PROGRAM_COUNT(bench_options, repeat, 1, 100000)},
    {"--memory", "SHARE", "the part of the device's memory that may be used",
     PROGRAM_NUMBER(bench_options, memory, 0, 1), .above = true, .fallback = "0.6"},
    {"--mask", "BITS,BITS", "capabilities to do without, SMOE_CAPABILITY_* of smoe.h; 0: none; 4: subgroup shuffle",
     PROGRAM_COUNTS(bench_options, masks, 0, SMOE_CAPABILITY_ALL)},
    {"--no-peak", NULL, "do not measure the device's own peak", PROGRAM_FLAG(bench_options, no_peak)},
    {"--validate", NULL, "run under the validation layers; any message fails", PROGRAM_FLAG(bench_options, validate)},
    {"--format", "NAME", "what is shown, a row at a time", PROGRAM_NAME(bench_options, format, &bench_formats),
     .fallback = "table"},
    {"--json", "FILE|-", "the results as JSON; with -, what is shown goes to stderr",
     PROGRAM_TEXT(bench_options, json)},
    {"--peer-data", NULL, "fill a gated --shape as the peer's program does (peer.py)",
     PROGRAM_FLAG(bench_options, peer_data)},
    {"--dump", "FILE", "write the last row's hard y, raw float32", PROGRAM_TEXT(bench_options, dump)},
};

static const program_desc description = {
    .name = "smoe-bench",
    .about = "Times smooth mixture-of-experts layers on a Vulkan device, stage by stage, hard against smooth routing.",
    .usage = {"[options]", "compare [options] RESULTS.json...", "report RESULTS.json... --html PAGE.html"},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Lists are of values and ranges, 1,8,64:8192*2 or 1:16+5, and rows are timed for each combination.\n"
               "Ctrl-C ends the measuring: what is measured is kept.\n\n"
               "Exit status: 0, with unsupported rows too; 1 if the device, validation or writing failed, an answer is "
               "wrong, or it was\ninterrupted; 2 for a wrong command line, or an output that may not be written.",
};

/* A file's name says where its user keeps files. */
static const char *hide_file(char *word, bool *is_next)
{
    static const char *const names[] = {"--json", "--dump"};
    if (*is_next) {
        *is_next = false;
        return "FILE";
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t size = strlen(names[i]);
        if (strcmp(word, names[i]) == 0)
            *is_next = true;
        if (strncmp(word, names[i], size) == 0 && word[size] == '=')
            return i == 0 ? "--json=FILE" : "--dump=FILE";
    }
    return word;
}

static bool keep_words(bench_options *options, int count, char **arguments)
{
    bool is_next = false;
    options->words = calloc((size_t)count, sizeof *options->words);
    for (int i = 1; options->words && i < count; i++) {
        const char *word = hide_file(arguments[i], &is_next);
        const size_t size = strlen(word) + 1;
        char *copy = malloc(size);
        if (!copy)
            return false;
        memcpy(copy, word, size);
        options->words[options->word_count++] = copy;
    }
    return options->words != NULL;
}

void bench_free_options(bench_options *options)
{
    for (uint32_t i = 0; i < options->word_count; i++)
        free(options->words[i]);
    free(options->words);
}

bool bench_parse_options(int count, char **arguments, bench_options *options, int *status)
{
    program_line line;
    memset(options, 0, sizeof *options);
    const bool read = program_read(&description, count, arguments, options, &line);
    *status = line.status;
    if (!read)
        return false;
    *status = PROGRAM_REFUSED;
    if (!options->list && !bench_complete_options(&description, options))
        return false;
    *status = PROGRAM_FAILED;
    return keep_words(options, count, arguments) ||
           program_refuse(&description, "the command line", NULL, "no memory for it");
}
