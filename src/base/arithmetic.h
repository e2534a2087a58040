/* Integer arithmetic of shapes and sizes. */
#ifndef SMOE_BASE_ARITHMETIC_H
#define SMOE_BASE_ARITHMETIC_H

#include <stdint.h>

static inline uint32_t smoe_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t smoe_max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint64_t smoe_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t smoe_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint32_t smoe_divide_up(uint32_t a, uint32_t b)
{
    return a / b + (a % b != 0);
}

/* The least power of two that is not below a; a: at most 2^31. */
static inline uint32_t smoe_power_of_two(uint32_t a)
{
    uint32_t power = 1;
    while (power < a)
        power *= 2;
    return power;
}

/* alignment: a power of two. */
static inline uint64_t smoe_align_up(uint64_t a, uint64_t alignment)
{
    return (a + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t smoe_align_down(uint64_t a, uint64_t alignment)
{
    return a & ~(alignment - 1);
}

#endif
