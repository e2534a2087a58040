#define _POSIX_C_SOURCE 200809L /* clock_gettime: C11 has no clock that is never set back */
#include "system.h"

#ifdef _WIN32

#include <windows.h>

double smoe_system_time(void)
{
    LARGE_INTEGER ticks = {0}, frequency = {0};
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&ticks);
    return (double)ticks.QuadPart * 1e9 / (double)frequency.QuadPart;
}

#else

#include <time.h>

double smoe_system_time(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

#endif
