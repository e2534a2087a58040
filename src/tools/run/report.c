/* The records of the report as numbers. */
#include "run.h"

#include <string.h>

float run_word(uint32_t word)
{
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

bool run_scatter_weights(const run *r, uint32_t token, double *row)
{
    const uint32_t *record = run_record(r, token), most = r->plan.max_active;
    for (uint32_t e = 0; e < r->plan.expert_count; e++)
        row[e] = 0.0;
    for (uint32_t i = 0; i < record[SMOE_REPORT_ACTIVE]; i++) {
        const uint32_t expert = i < most ? record[SMOE_REPORT_IDS + i] : SMOE_REPORT_UNUSED;
        if (expert >= r->plan.expert_count)
            return false;
        row[expert] += /* given routing may repeat one */
            (double)run_word(record[SMOE_REPORT_WEIGHTS(most) + i]);
    }
    return true;
}
