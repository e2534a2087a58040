/* What logits say of the classes. */
#include "classify.h"

#include <math.h>
#include <stdio.h>

void classify_rank(const vision_model *model, const float *logits, uint32_t count, uint32_t *best, double *probability)
{
    const uint32_t class_count = model->class_count;
    double largest = (double)logits[0], sum = 0;
    for (uint32_t c = 1; c < class_count; c++)
        largest = fmax(largest, (double)logits[c]);
    for (uint32_t c = 0; c < class_count; c++)
        sum += exp(((double)logits[c] - largest) / model->temperature);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t next = class_count;
        for (uint32_t c = 0; c < class_count; c++) {
            bool taken = false;
            for (uint32_t j = 0; j < i; j++)
                taken = taken || best[j] == c;
            if (!taken && (next == class_count || logits[c] > logits[next]))
                next = c;
        }
        best[i] = next;
        probability[i] = exp(((double)logits[next] - largest) / model->temperature) / sum;
    }
}

bool classify_is_unsure(const vision_model *model, double probability)
{
    return probability < model->unsure_below;
}

void classify_say_unsure(const vision_model *model, char text[CLASSIFY_UNSURE_SIZE])
{
    snprintf(text, CLASSIFY_UNSURE_SIZE, "unsure: none of its %u classes reaches %.4g %%", model->class_count,
             100 * model->unsure_below);
}
