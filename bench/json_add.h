/* Members of JSON's objects. cJSON has no memory: a NULL anywhere leaves something out, which `failed` notes. */
#ifndef SMOE_BENCH_JSON_ADD_H
#define SMOE_BENCH_JSON_ADD_H

#include "bench.h"

#include <cjson/cJSON.h>

typedef struct json {
    bool failed;
} json;

/* A member, or an element where name is NULL; gives value, or NULL. */
cJSON *json_add(json *j, cJSON *to, const char *name, cJSON *value);
void json_add_number(json *j, cJSON *to, const char *name, double value);
/* null in place of 0, for what was not measured. */
void json_add_measured(json *j, cJSON *to, const char *name, double value);
void json_add_text(json *j, cJSON *to, const char *name, const char *text);
/* null in place of "", for what is not known. */
void json_add_known(json *j, cJSON *to, const char *name, const char *text);
void json_add_bool(json *j, cJSON *to, const char *name, bool value);

/* json_rows.c: all of a row. */
void json_fill_row(json *j, cJSON *object, const bench_results *results, size_t device, const bench_row *row);

#endif
