/* What smoe-digits shows: pictures, a line per digit, which experts each kind of digit went to, and the accuracy. */
#include <stdio.h>
#include <string.h>

#include "digits.h"

#define PICTURES 5u       /* side by side: 90 columns */
#define LINES 20u         /* of digits, unless all are asked for */
#define TABLE_EXPERTS 16u /* a wider table does not fit a screen */

static const uint32_t *record_of(const digits_run *run, uint32_t t)
{
    return run->report + (size_t)t * SMOE_REPORT_STRIDE(run->plan.max_active);
}

static float float_at(const uint32_t *word)
{
    float value;
    memcpy(&value, word, sizeof value);
    return value;
}

static char answer_character(const digits_result *result)
{
    return result->answer < DIGITS_CLASSES ? (char)('0' + result->answer) : '?';
}

static float confidence(const digits_result *result)
{
    return result->answer < DIGITS_CLASSES ? 100.0f * result->probability[result->answer] : 0.0f;
}

static bool is_wrong(const digits_run *run, uint32_t t)
{
    return run->results[t].answer != run->data->labels[run->index[t]];
}

static void print_pictures(const digits_run *run, const uint32_t *which, uint32_t count)
{
    static const char *const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    for (uint32_t row = 0; row < DIGITS_SIDE; row++) {
        for (uint32_t i = 0; i < count; i++) {
            const uint8_t *pixels = run->data->images + run->index[which[i]] * DIGITS_PIXELS + row * DIGITS_SIDE;
            printf("  ");
            for (uint32_t column = 0; column < DIGITS_SIDE; column++)
                fputs(shades[(pixels[column] + 3u) / 4u], stdout);
        }
        printf("\n");
    }
    for (uint32_t i = 0; i < count; i++) {
        const digits_result *result = &run->results[which[i]];
        printf("  %u read as %c %3.0f %%", run->data->labels[run->index[which[i]]], answer_character(result),
               (double)confidence(result));
    }
    printf("\n\n");
}

static void print_heading(void)
{
    printf("  digit  label  answer  confidence      gap   experts that ran (share of the output in %%)\n");
}

static void print_line(const digits_run *run, uint32_t t)
{
    const uint32_t *record = record_of(run, t);
    const digits_result *result = &run->results[t];
    printf("  %5u  %5u  %6c  %8.1f %%  %7.4f ", run->index[t], run->data->labels[run->index[t]],
           answer_character(result), (double)confidence(result), (double)float_at(record + SMOE_REPORT_GAP));
    for (uint32_t rank = 0; rank < record[SMOE_REPORT_ACTIVE]; rank++) {
        float weight = float_at(record + SMOE_REPORT_WEIGHTS(run->plan.max_active) + rank);
        printf("  %2u: %4.1f", record[SMOE_REPORT_IDS + rank], 100.0 * (double)weight);
    }
    printf("%s\n", is_wrong(run, t) ? "   wrong" : "");
}

static void print_header(const digits_run *run)
{
    printf("%u handwritten digit%s on %s\n", run->count, run->count == 1 ? "" : "s", run->device_name);
    printf("smooth mixture of %u experts: the best %u run, and up to %u in all within the band eps = %.4g\n\n",
           run->plan.expert_count, run->plan.top_k, run->plan.max_active, (double)run->params.eps);
}

static void print_expert_table(const digits_run *run)
{
    double share[DIGITS_CLASSES][TABLE_EXPERTS] = {{0}};
    uint32_t seen[DIGITS_CLASSES] = {0};
    if (run->plan.expert_count > TABLE_EXPERTS)
        return;
    for (uint32_t t = 0; t < run->count; t++) {
        const uint32_t *record = record_of(run, t);
        uint32_t label = run->data->labels[run->index[t]];
        seen[label]++;
        for (uint32_t rank = 0; rank < record[SMOE_REPORT_ACTIVE]; rank++) {
            float weight = float_at(record + SMOE_REPORT_WEIGHTS(run->plan.max_active) + rank);
            share[label][record[SMOE_REPORT_IDS + rank]] += (double)weight;
        }
    }
    printf("which experts each digit goes to (mean share of the output in %%)\n  expert ");
    for (uint32_t e = 0; e < run->plan.expert_count; e++)
        printf("%5u", e);
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++) {
        printf("\n  digit %u", c);
        for (uint32_t e = 0; e < run->plan.expert_count; e++) {
            double percent = seen[c] ? 100.0 * share[c][e] / seen[c] : 0.0;
            if (percent < 0.5)
                printf("    .");
            else
                printf("%5.0f", percent);
        }
    }
    printf("\n\n");
}

static void print_summary(const digits_run *run)
{
    uint32_t right = 0, band = 0, capped = 0;
    uint64_t active = 0;
    for (uint32_t t = 0; t < run->count; t++) {
        const uint32_t *record = record_of(run, t);
        right += !is_wrong(run, t);
        active += record[SMOE_REPORT_ACTIVE];
        band += record[SMOE_REPORT_ACTIVE] > run->plan.top_k;
        capped += record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_CAPPED;
    }
    printf("mean active experts %.3f (the best %u always run)\n", (double)active / run->count, run->plan.top_k);
    printf("digits in the band %u of %u, capped %u\n", band, run->count, capped);
    printf("time of the layer %.3f ms for all %u digits at once\n", run->timings.host_total * 1e-6, run->count);
    printf("accuracy %.4f (%u of %u)\n", (double)right / run->count, right, run->count);
}

void digits_print_all(const digits_run *run, bool all)
{
    uint32_t lines = all || run->count < LINES ? run->count : LINES;
    uint32_t wrong[PICTURES], wrong_count = 0, shown = 0;
    print_header(run);
    for (uint32_t i = 0; i < PICTURES && i < run->count; i++) {
        wrong[i] = i;
        shown++;
    }
    print_pictures(run, wrong, shown);
    print_heading();
    for (uint32_t t = 0; t < lines; t++)
        print_line(run, t);
    if (lines < run->count)
        printf("  ... and %u more (--all shows them)\n", run->count - lines);
    printf("\n");
    for (uint32_t t = 0, pictures = 0; t < run->count; t++) {
        if (is_wrong(run, t)) {
            wrong_count++;
            if (pictures < PICTURES)
                wrong[pictures++] = t;
        }
    }
    if (wrong_count > 0) {
        printf("%u wrong answer%s\n\n", wrong_count, wrong_count == 1 ? "" : "s");
        print_pictures(run, wrong, wrong_count < PICTURES ? wrong_count : PICTURES);
        print_heading();
        for (uint32_t t = 0; t < run->count; t++)
            if (is_wrong(run, t))
                print_line(run, t);
        printf("\n");
    }
    print_expert_table(run);
    print_summary(run);
}

void digits_print_one(const digits_run *run)
{
    const uint32_t first = 0;
    print_header(run);
    print_pictures(run, &first, 1);
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++) {
        float probability = run->results[0].probability[c];
        printf("  %u %6.2f %% ", c, 100.0 * (double)probability);
        for (float bar = 0.0125f; bar < probability; bar += 0.025f)
            fputs("█", stdout);
        printf("\n");
    }
    printf("\n");
    print_heading();
    print_line(run, 0);
    printf("\nthis digit was %s\n",
           run->data->held_out[run->index[0]] ? "held out: the model has not been trained on it" : "trained on");
}
