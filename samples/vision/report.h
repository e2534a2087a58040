/* --report: a page that shows what became of each picture, and what the experts of each block did with its patches. */
#ifndef VISION_REPORT_H
#define VISION_REPORT_H

#include "classify.h"

typedef struct report report;

/* Begins the file that --report names, for `count` pictures; it takes its name when it ends. False after printing why
 * not; *out is NULL then. */
bool report_begin(const classify_session *session, uint32_t count, report **out);

/* Writes what became of the picture `path`; its string must live until report_end. False if it could not be written,
 * which report_end prints. With r NULL there is nothing to do. */
bool report_add(report *r, const char *path, const classify_result *result);

/* Closes the file. complete: all pictures were added; else the page says that it is not whole. False after printing
 * that it could not be written. r may be NULL. */
bool report_end(report *r, bool complete);

#endif
