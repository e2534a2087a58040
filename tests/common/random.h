/* Seeded random numbers for tests: the same seed gives the same numbers on every machine. */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stdint.h>

typedef struct test_random {
    uint64_t state;
} test_random;

/* The run's seed: environment variable SMOE_TEST_SEED (a number, or "time"), else 1. Tests print it on failure. */
uint64_t test_seed(void);

/* A stream of its own for each pair. */
test_random test_random_make(uint64_t seed, uint64_t stream);

uint64_t test_random_bits(test_random *random);
uint32_t test_random_below(test_random *random, uint32_t count);       /* 0 .. count - 1 */
float test_random_uniform(test_random *random, float low, float high); /* [low, high) */
/* A multiple of 1/8 in [-limit, limit]: sums of products of such numbers are exact in float32 whatever their order. */
float test_random_eighths(test_random *random, uint32_t limit);

#endif
