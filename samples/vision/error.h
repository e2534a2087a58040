/* How the files that other programs may use too say what went wrong: those of the engine and those that read models. */
#ifndef VISION_ERROR_H
#define VISION_ERROR_H

#include <smoe/types.h>

/* One line for the log, at level error; NULL: for nobody. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool vision_error(const smoe_log *log, const char *format, ...);

#endif
