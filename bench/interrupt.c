/* Ctrl-C, and a plain kill. */
#include "bench.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void note(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);
}

void bench_watch_interrupt(void)
{
    signal(SIGINT, note);
    signal(SIGTERM, note);
}

bool bench_is_interrupted(void)
{
    return interrupted != 0;
}
