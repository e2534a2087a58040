/* One progress bar for every program: a line at the end of stderr, where that is a terminal, with the time left. */
#ifndef PROGRAM_PROGRESS_H
#define PROGRAM_PROGRESS_H

#include <stdbool.h>

/* Nothing is shown before it. always: where stderr is no terminal too. */
void program_progress_begin(bool always);

/* Redraws the bar, at most ten times a second: "[####....] 3 of 8 rows, 1:05 left", or "[####....] 42 %, ..." where
 * `things` is NULL; a part of a thing shows in the bar only. Where less is done than at the last call, something else
 * has begun. */
void program_progress(double done, double total, const char *things);

/* In place of the bar what is being done, where nothing can be counted: at once, for it may take long. */
void program_progress_wait(const char *what);

/* Takes the bar, or that line, away, before something else is printed on the terminal. The next program_progress draws
 * it again. */
void program_progress_clear(void);

/* A clock, never set back: nanoseconds. */
double program_now(void);

#endif
