#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/system.h"

enum { BAR_WIDTH = 40, LINE_SIZE = 160 };
#define REDRAW_TIME 1e8 /* nanoseconds between two lines */
#define FIRST_TIME 1e9  /* before it, nothing is said of the time left */

static struct {
    bool enabled;
    int shown; /* columns of the line that stands there */
    double begin, last; /* when: the count began; the line was drawn */
    double first, done; /* how much was done then, and at the last call */
} bar;

double program_now(void)
{
    return smoe_system_time();
}

void program_progress_begin(bool always)
{
    program_progress_clear();
    bar.enabled = always || smoe_system_is_terminal(stderr);
    bar.done = INFINITY;
}

void program_progress_clear(void)
{
    if (bar.shown > 0)
        fprintf(stderr, "\r%*s\r", bar.shown, "");
    bar.shown = 0;
    bar.last = -INFINITY;
}

/* A line in place of the one that stands there. */
static void draw(const char *line)
{
    fprintf(stderr, "\r%-*s", bar.shown, line);
    fflush(stderr);
    bar.shown = (int)strlen(line);
    bar.last = program_now();
}

void program_progress_wait(const char *what)
{
    bar.done = INFINITY;
    program_progress_clear();
    if (bar.enabled)
        draw(what);
}

static void print_time_left(char *text, size_t size, double seconds)
{
    const unsigned long left = seconds < 1e9 ? (unsigned long)ceil(seconds) : 1000000000;
    if (left < 3600)
        snprintf(text, size, ", %lu:%02lu left", left / 60, left % 60);
    else
        snprintf(text, size, ", %lu:%02lu:%02lu left", left / 3600, left / 60 % 60, left % 60);
}

void program_progress(double done, double total, const char *things)
{
    const double now = program_now(), share = total > 0 && done < total ? fmax(done, 0) / total : 1;
    char line[LINE_SIZE] = "[";
    if (done < bar.done) { /* something else begins */
        bar.begin = now;
        bar.first = done;
    }
    bar.done = done;
    if (!bar.enabled || now - bar.last < REDRAW_TIME)
        return;
    memset(line + 1, '.', BAR_WIDTH);
    memset(line + 1, '#', (size_t)(BAR_WIDTH * share));
    int used = 1 + BAR_WIDTH;
    if (things)
        used += snprintf(line + used, sizeof line - (size_t)used, "] %.0f of %.0f %.40s", floor(done), total, things);
    else
        used += snprintf(line + used, sizeof line - (size_t)used, "] %.0f %%", floor(100 * share));
    if (done > bar.first && now - bar.begin > FIRST_TIME)
        print_time_left(line + used, sizeof line - (size_t)used,
                        fmax(total - done, 0) / (done - bar.first) * (now - bar.begin) * 1e-9);
    draw(line);
}
