/* Tests of float numbers. */
#ifndef SMOE_BASE_NUMBER_H
#define SMOE_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* By its bits: a thread may count denormal numbers as 0, as those of sound do, where a kernel does not. */
static inline bool smoe_is_zero(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7fffffffu) == 0;
}

#endif
