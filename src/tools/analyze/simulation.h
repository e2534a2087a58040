/* Simulations on the device: a compute shader that takes samples by number and counts, on the
 * Vulkan of src/program/compute.h. It needs nothing beyond Vulkan 1.1's least limits. */
#ifndef SMOE_ANALYZE_SIMULATION_H
#define SMOE_ANALYZE_SIMULATION_H

#include "analyze.h"

enum {
    SIMULATION_MAX_PARAMETERS = 4096, /* floats: the 16 KiB that every device's uniform buffers may have */
    SIMULATION_MAX_CONSTANTS = 8,
    SIMULATION_MIN_BATCH = 64,        /* so many samples are never split */
    SIMULATION_MAX_BATCH = 1 << 30    /* samples, or work if that is more */
};

typedef struct simulation_desc {
    const uint32_t *spirv;
    size_t spirv_size; /* bytes */
    uint32_t constants[SIMULATION_MAX_CONSTANTS]; /* specialization constants 0, 1, ... */
    uint32_t constant_count;
    uint32_t counter_count;
    uint32_t work; /* of one sample, in the units of the progress bar; also the most that it adds to one counter */
} simulation_desc;

typedef struct simulation simulation;

/* Gives the exit status, with the reason printed. */
int simulation_create(analyze *a, const simulation_desc *desc, simulation **out);
void simulation_destroy(simulation *s);

/* parameters[count], for the runs that follow. */
void simulation_set_parameters(simulation *s, const float *parameters, size_t count);

/* Runs samples first .. first + samples - 1 of a stream of random numbers (below 256) in batches of about a tenth of a
 * second, so that no driver's watchdog stops one, and adds what they counted to counts[counter_count]. The counts do
 * not depend on the batches. Gives the exit status. */
int simulation_run(simulation *s, uint32_t stream, uint64_t first, uint64_t samples, uint64_t *counts);

/* The whole work that the progress bar is about; simulation_run adds to what is done of it. */
void simulation_expect(analyze *a, double work);

/* Seconds spent in simulation_run so far. */
double simulation_seconds(const simulation *s);

/* Puts how many `things` a second were done. */
void analyze_put_rate(analyze *a, const char *things, double count, double seconds);

#endif
