/* The rows of a document of results. */
#ifndef BENCH_READ_ROWS_H
#define BENCH_READ_ROWS_H

#include "fields.h"

/* Reads "rows" of a document whose devices have been read. False: a rule is broken. */
bool rows_read(results_reader *reader, const cJSON *document);

#endif
