/* JSON values, one small tree at a time. */
#ifndef SMOE_JSON_VALUE_H
#define SMOE_JSON_VALUE_H

#include "file_internal.h"

#include <cjson/cJSON.h>

/* The tree of a span that holds one value and nothing else but blanks; NULL if it does not. The caller bounds the span's size. */
cJSON *smoe_json_parse(smoe_json_span span);

#endif
