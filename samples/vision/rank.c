#include "classify.h"

#include <math.h>

void classify_rank(const float *logits, uint32_t class_count, uint32_t count, uint32_t *best, double *probability)
{
    double largest = (double)logits[0], sum = 0;
    for (uint32_t c = 1; c < class_count; c++)
        largest = fmax(largest, (double)logits[c]);
    for (uint32_t c = 0; c < class_count; c++)
        sum += exp((double)logits[c] - largest);
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
        probability[i] = exp((double)logits[next] - largest) / sum;
    }
}
