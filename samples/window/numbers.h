/* What the host knows of the results shown, from their copies: text, and what scripts print. */
#ifndef WINDOW_NUMBERS_H
#define WINDOW_NUMBERS_H

#include "work.h"

typedef struct side_numbers {
    const float *logits, *probabilities; /* [items,classes] */
    const uint32_t *report;
    const uint32_t *patches;       /* of model_results; NULL: items are one token */
    uint32_t answer;               /* the class of item 0 with the largest probability */
    uint32_t jumps;                /* along the path: neighbours that were routed hard and to different experts */
    float largest_step;            /* between neighbours, of any probability */
    uint32_t largest_step_at;      /* point i: from i to i + 1 */
    float least_logit, most_logit; /* along the path */
    double mean_active;            /* experts, along the path */
    double milliseconds;           /* of the layer for all items; 0 unknown */
} side_numbers;

typedef struct window_numbers {
    uint64_t version; /* of the request that they answer; 0 none yet */
    uint32_t items, classes, max_active;
    side_numbers sides[MODEL_SIDES];
} window_numbers;

void numbers_update(window_numbers *numbers, const window_work *work); /* of the slot shown */

/* A word of a record that holds a float. */
float numbers_float(const uint32_t *word);

/* Parts of an item's record, smoe/report.h. */
float numbers_gap(const window_numbers *numbers, model_side side, uint32_t item);
uint32_t numbers_word(const window_numbers *numbers, model_side side, uint32_t item, uint32_t word);
float numbers_weight(const window_numbers *numbers, model_side side, uint32_t item, uint32_t expert); /* 0: not run */

/* Whether the answer jumps from point i of the path to i + 1, as curves.vert has it. */
bool numbers_jumps(const window_numbers *numbers, model_side side, uint32_t i);

#endif
