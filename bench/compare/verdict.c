/* Ratios of times, and what they say. */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap.h"

const char *const compare_verdict_names[COMPARE_VERDICT_COUNT] = {"FASTER", "SLOWER", "SAME", "UNCLEAR", "not counted"};

/* What comparing carries along. */
typedef struct comparer {
    const compare_column *columns;
    size_t column_count;
    compare_result *result;
    bootstrap_series *first, *other;
    double *logs; /* [column_count][BOOTSTRAP_RESAMPLES], of the row */
    double *sums; /* the same, of the rows that all columns have */
    bool few;     /* a row among them has too few samples for their mean to have an interval */
} comparer;

static const compare_ratio no_ratio = {NAN, NAN, NAN, COMPARE_NOT_COUNTED};

/* ---- what is not counted ----------------------------------------------------------------------------------------- */

/* Whether an entry counts. If not, the line says why. */
static bool counts(const compare_column *column, const compare_entry *entry, compare_line *line)
{
    const results_check *check = &entry->run->check;
    const char letter = column->letter;
    line->reason = entry->row->unsupported[0] ? entry->row->unsupported : entry->run->unsupported;
    if (line->reason[0])
        snprintf(line->note, sizeof line->note, "unsupported in %c: ", letter);
    else if (entry->run->has_check && !check->good && check->wrong[0])
        snprintf(line->note, sizeof line->note, "check failed in %c: %.120s", letter, check->wrong);
    else if (entry->run->has_check && !check->good && isnan(check->largest_difference))
        snprintf(line->note, sizeof line->note, "check failed in %c", letter);
    else if (entry->run->has_check && !check->good)
        snprintf(line->note, sizeof line->note, "check failed in %c: differs by %.3g, allowed is %.3g", letter,
                 check->largest_difference, check->allowed);
    return !line->note[0];
}

static bool has_device_times(const results_run *run)
{
    return run->device_ns.median > 0;
}

/* What a run's samples are to be multiplied by to be times of the other run's clock; NaN: nothing makes them so. Where
 * one of the two has no device times, both are compared by the host's: it has no samples of those, but their median. */
static double clock_factor(const results_run *run, const results_run *other)
{
    if (!has_device_times(run) || has_device_times(other))
        return 1;
    return run->host_ns.median > 0 ? run->host_ns.median / run->device_ns.median : NAN;
}

/* ---- one row ----------------------------------------------------------------------------------------------------- */

static compare_verdict judge(double low, double high, double same)
{
    if (low >= 1 - same && high <= 1 + same)
        return COMPARE_SAME;
    return high < 1 - same ? COMPARE_FASTER : low > 1 + same ? COMPARE_SLOWER : COMPARE_UNCLEAR;
}

/* logs: of the ratio's resamples, which become sorted. */
static compare_ratio ratio_of(double log_ratio, double logs[BOOTSTRAP_RESAMPLES], bool enough, double same)
{
    compare_ratio ratio = {exp(log_ratio), NAN, NAN, COMPARE_UNCLEAR};
    if (enough) {
        const bootstrap_interval interval = bootstrap_enclose(log_ratio, logs);
        ratio.low = exp(interval.low);
        ratio.high = exp(interval.high);
        ratio.verdict = judge(ratio.low, ratio.high, same);
    }
    return ratio;
}

/* A seed for each run of each column, so that no two draw alike. */
static uint64_t seed_of(const comparer *c, size_t column, const compare_entry *entry)
{
    const compare_entry *entries = c->columns[column].entries;
    return (uint64_t)column << 32 | (uint64_t)(entry - entries);
}

static void add_note(compare_line *line, const char *note)
{
    const size_t used = strlen(line->note);
    snprintf(line->note + used, sizeof line->note - used, "%s%s", used > 0 ? "; " : "", note);
}

/* What makes the ratio another one than of the same work by the same clock, seen often enough. */
static void note_differences(compare_line *line)
{
    const results_run *a = line->first->run, *b = line->other->run;
    char note[64];
    if (has_device_times(a) != has_device_times(b))
        add_note(line, "host times");
    if (fabs(a->active_mean - b->active_mean) > 0.01 * a->active_mean) {
        snprintf(note, sizeof note, "%.4g and %.4g experts per token", a->active_mean, b->active_mean);
        add_note(line, note);
    }
    if (a->sample_count < BOOTSTRAP_LEAST || b->sample_count < BOOTSTRAP_LEAST) {
        snprintf(note, sizeof note, "%u and %u samples: too few to tell", (unsigned)a->sample_count,
                 (unsigned)b->sample_count);
        add_note(line, note);
    }
}

static bool refuse_line(compare_line *line, const char *note)
{
    snprintf(line->note, sizeof line->note, "%s", note);
    return false;
}

/* Fills times and the resamples of the ratio's logarithm. False, with a note, where the line is not counted. */
static bool resample_line(comparer *c, compare_line *line, double logs[BOOTSTRAP_RESAMPLES])
{
    const results_run *a = line->first->run, *b = line->other->run;
    const double factors[] = {clock_factor(a, b), clock_factor(b, a)};
    if (!counts(&c->columns[0], line->first, line) || !counts(&c->columns[line->column], line->other, line))
        return false;
    if (isnan(factors[0]) || isnan(factors[1]))
        return refuse_line(line, "device times beside host times");
    if (!bootstrap_resample(a->samples_ns, a->sample_count, seed_of(c, 0, line->first), c->first) ||
        !bootstrap_resample(b->samples_ns, b->sample_count, seed_of(c, line->column, line->other), c->other))
        return refuse_line(line, "a time of 0");
    line->times[0] = c->first->median * factors[0];
    line->times[1] = c->other->median * factors[1];
    bootstrap_ratios(c->first, c->other, logs);
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        logs[i] += log(factors[1]) - log(factors[0]);
    note_differences(line);
    return true;
}

static void finish_line(comparer *c, compare_line *line, const double logs[BOOTSTRAP_RESAMPLES])
{
    const bool enough = c->first->count >= BOOTSTRAP_LEAST && c->other->count >= BOOTSTRAP_LEAST;
    double sorted[BOOTSTRAP_RESAMPLES];
    memcpy(sorted, logs, sizeof sorted);
    line->ratio = ratio_of(log(line->times[1]) - log(line->times[0]), sorted, enough, c->result->same);
}

/* ---- all rows ---------------------------------------------------------------------------------------------------- */

/* A row of the first column against each other one that has it. */
static void compare_entry_of_first(comparer *c, const compare_entry *first)
{
    compare_line *lines = c->result->lines + c->result->line_count;
    size_t counted = 0;
    bool few = false;
    for (size_t column = 1; column < c->column_count; column++) {
        const compare_entry *other = compare_find(&c->columns[column], first);
        double *logs = c->logs + column * BOOTSTRAP_RESAMPLES;
        if (!other)
            continue;
        if (first->routing != RESULTS_HARD && first->row->unsupported[0] && other->row->unsupported[0])
            continue; /* the line before says it */
        compare_line *line = &c->result->lines[c->result->line_count++];
        *line = (compare_line){first, other, column, {NAN, NAN}, no_ratio, "", ""};
        if (!resample_line(c, line, logs))
            continue;
        finish_line(c, line, logs);
        few = few || c->first->count < BOOTSTRAP_LEAST_IN_MEAN || c->other->count < BOOTSTRAP_LEAST_IN_MEAN;
        counted++;
    }
    if (counted + 1 < c->column_count)
        return;
    c->few = c->few || few;
    for (size_t i = BOOTSTRAP_RESAMPLES; i < c->column_count * BOOTSTRAP_RESAMPLES; i++)
        c->sums[i] += c->logs[i];
    for (size_t column = 1; column < c->column_count; column++) {
        c->result->means[column].row_count++;
        c->result->means[column].ratio.ratio += log(lines[column - 1].ratio.ratio);
    }
}

static void finish_mean(comparer *c, size_t column)
{
    compare_mean *mean = &c->result->means[column];
    double *sums = c->sums + column * BOOTSTRAP_RESAMPLES;
    const double count = (double)mean->row_count;
    if (mean->row_count == 0) {
        mean->ratio = no_ratio;
        return;
    }
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        sums[i] /= count;
    mean->ratio = ratio_of(mean->ratio.ratio / count, sums, !c->few, c->result->same);
}

static void compare_all(comparer *c)
{
    for (size_t i = 0; i < c->columns[0].count; i++)
        if (!c->columns[0].entries[i].repeated)
            compare_entry_of_first(c, &c->columns[0].entries[i]);
    for (size_t column = 1; column < c->column_count; column++)
        finish_mean(c, column);
}

bool compare_columns(const compare_column *columns, size_t column_count, double same, compare_result *result)
{
    comparer c = {.columns = columns, .column_count = column_count, .result = result};
    *result = (compare_result){.columns = columns, .column_count = column_count, .same = same};
    result->lines = calloc(columns[0].count * (column_count - 1), sizeof *result->lines);
    c.first = malloc(sizeof *c.first);
    c.other = malloc(sizeof *c.other);
    c.logs = calloc(column_count * BOOTSTRAP_RESAMPLES, sizeof *c.logs);
    c.sums = calloc(column_count * BOOTSTRAP_RESAMPLES, sizeof *c.sums);
    const bool good = result->lines && c.first && c.other && c.logs && c.sums;
    if (good)
        compare_all(&c);
    free(c.first);
    free(c.other);
    free(c.logs);
    free(c.sums);
    return good;
}

void compare_release(compare_result *result)
{
    free(result->lines);
    *result = (compare_result){0};
}
