/* Random layers on random devices against the reference. Everything follows from the seed and two numbers: that of the
 * plan, which decides the device too, and that of the values that run through it. */
#ifndef STRESS_H
#define STRESS_H

#include "check_stages.h"
#include "common/fixture.h"

/* The layer of a plan: what a smoe_plan_desc has. Values: what may differ from one layer or call of the plan to the
 * next, in the same struct. Both are small enough for hundreds in a second. */
layer_case stress_plan(uint64_t seed, uint32_t plan);
void stress_values(uint64_t seed, uint32_t plan, uint32_t values, layer_case *shape);

/* Plans in a row share a device, so that they share pipelines. */
enum { STRESS_PLANS_PER_DEVICE = 8 };

typedef struct stress_device {
    test_device device;
    test_gpu gpu;
    plan_keeper keeper;
    smoe_device_info info; /* what selection sees */
    char name[320];        /* "as it is", "without 0x3" or "as NAME" */
} stress_device;

/* The device of a plan: the real one as it is, with capabilities masked, or acting as another. False after a line. */
bool stress_device_open(stress_device *on, uint64_t seed, uint32_t plan);
/* False where validation or smoe complained, after the messages. */
bool stress_device_close(stress_device *on);

/* What the comparison is to find: one of the outputs is changed before anyone looks. */
typedef enum stress_spoil {
    STRESS_SPOIL_NOTHING = 0,
    STRESS_SPOIL_Y,
    STRESS_SPOIL_REPORT,
    STRESS_SPOIL_AGAIN,   /* the same forward's second y */
    STRESS_SPOIL_REVERSED /* y of the reversed batch */
} stress_spoil;

/* Runs a layer three times, the last with the tokens in reversed order. False where the first differs from the
 * reference, or another from the first in a bit; what differs is printed, and the layer. */
bool stress_pair(stress_device *on, const layer_case *shape, uint64_t seed, stress_spoil spoil, check_tally *tally);

#endif
