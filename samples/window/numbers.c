/* Numbers of the results shown. */
#include "numbers.h"

#include <math.h>
#include <string.h>

static const uint32_t *record_of(const window_numbers *numbers, model_side side, uint32_t item)
{
    return numbers->sides[side].report + (size_t)item * SMOE_REPORT_STRIDE(numbers->max_active);
}

float numbers_float(const uint32_t *word)
{
    float value;
    memcpy(&value, word, sizeof value);
    return value;
}

float numbers_gap(const window_numbers *numbers, model_side side, uint32_t item)
{
    return numbers_float(record_of(numbers, side, item) + SMOE_REPORT_GAP);
}

uint32_t numbers_word(const window_numbers *numbers, model_side side, uint32_t item, uint32_t word)
{
    return record_of(numbers, side, item)[word];
}

float numbers_weight(const window_numbers *numbers, model_side side, uint32_t item, uint32_t expert)
{
    const uint32_t *record = record_of(numbers, side, item);
    for (uint32_t rank = 0; rank < record[SMOE_REPORT_ACTIVE]; rank++)
        if (record[SMOE_REPORT_IDS + rank] == expert)
            return numbers_float(record + SMOE_REPORT_WEIGHTS(numbers->max_active) + rank);
    return 0;
}

bool numbers_jumps(const window_numbers *numbers, model_side side, uint32_t i)
{
    const uint32_t *a = record_of(numbers, side, 1 + i), *b = record_of(numbers, side, 2 + i);
    if (a[SMOE_REPORT_EPS] != 0 || b[SMOE_REPORT_EPS] != 0)
        return false;
    for (uint32_t rank = 0; rank < a[SMOE_REPORT_ACTIVE]; rank++) {
        bool found = false;
        for (uint32_t other = 0; other < b[SMOE_REPORT_ACTIVE]; other++)
            found = found || b[SMOE_REPORT_IDS + other] == a[SMOE_REPORT_IDS + rank];
        if (!found)
            return true;
    }
    return false;
}

static uint32_t best_of(const float *values, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

static void count_path(window_numbers *numbers, model_side which)
{
    side_numbers *side = &numbers->sides[which];
    const uint32_t classes = numbers->classes, points = numbers->items - 1;
    side->least_logit = INFINITY;
    side->most_logit = -INFINITY;
    for (uint32_t i = 0; i < points; i++) {
        side->mean_active += numbers_word(numbers, which, 1 + i, SMOE_REPORT_ACTIVE) / (double)points;
        side->jumps += i + 1 < points && numbers_jumps(numbers, which, i);
        for (uint32_t c = 0; c < classes; c++) {
            const float *here = side->probabilities + (1 + i) * classes + c;
            const float step = i + 1 < points ? fabsf(here[classes] - here[0]) : 0;
            side->least_logit = fminf(side->least_logit, side->logits[(1 + i) * classes + c]);
            side->most_logit = fmaxf(side->most_logit, side->logits[(1 + i) * classes + c]);
            if (step > side->largest_step) {
                side->largest_step = step;
                side->largest_step_at = i;
            }
        }
    }
}

void numbers_update(window_numbers *numbers, const window_work *work)
{
    const work_slot *slot = &work->slots[work->shown];
    const window_model *model = work->model;
    numbers->version = slot->version;
    numbers->items = model->items;
    numbers->classes = model->classes;
    numbers->max_active = model->plan.max_active;
    for (int i = 0; i < MODEL_SIDES; i++) {
        const model_results *results = &model->results[work->shown][i];
        const float *logits = results->answers_copy.mapped;
        numbers->sides[i] = (side_numbers){.logits = logits,
                                           .probabilities = logits + model->items * model->classes,
                                           .report = results->report_copy.mapped,
                                           .patches = results->patches_copy.mapped,
                                           .milliseconds = slot->nanoseconds[i] * 1e-6};
        numbers->sides[i].answer = best_of(numbers->sides[i].probabilities, model->classes);
        count_path(numbers, (model_side)i);
    }
}
