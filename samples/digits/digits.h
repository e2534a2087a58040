/* What smoe-digits computed (digits.c) and how it is shown (print.c). */
#ifndef SMOE_SAMPLES_DIGITS_H
#define SMOE_SAMPLES_DIGITS_H

#include "smoe/device.h"

#include "model.h"

typedef struct digits_result {
    uint32_t answer;
    float probability[DIGITS_CLASSES];
} digits_result;

typedef struct digits_run {
    const digits_data *data;
    const char *device_name;
    uint32_t count;         /* of digits classified */
    uint32_t *index;        /* [count], which ones of the data */
    digits_result *results; /* [count] */
    uint32_t *report;       /* [count] records of smoe/report.h */
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_timings timings;
} digits_run;

/* All classified digits: pictures and lines of the first and the wrong ones (a line for every one where all is set),
 * which experts each kind of digit went to, and last the accuracy. */
void digits_print_all(const digits_run *run, bool all);

/* The first classified digit with all ten probabilities. */
void digits_print_one(const digits_run *run);

#endif
