/* Names and values of JSON members as text.
 *
 * cJSON's memory comes from its own process-wide hooks, which belong to the app and are left alone: only these short-lived trees
 * bypass smoe_allocator. A tree takes some 40 times its text, so trees are built from small pieces of it alone. */
#include "json_value.h"

#include <string.h>

#define MAX_NAME_SIZE 4096

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

cJSON *smoe_json_parse(smoe_json_span span)
{
    const char *end = NULL;
    cJSON *item = cJSON_ParseWithLengthOpts(span.text, span.size, &end, 0);
    while (item && end < span.text + span.size && is_space(*end))
        end++;
    if (item && end != span.text + span.size) {
        cJSON_Delete(item);
        return NULL;
    }
    return item;
}

const char *smoe_json_string(smoe_json_span span)
{
    if (span.size == 0 || *span.text != '"') /* no tree from a value of any size */
        return NULL;
    cJSON *item = smoe_json_parse(span);
    const char *result = NULL;
    if (cJSON_IsString(item) && strlen(item->valuestring) < span.size) {
        memcpy(span.text, item->valuestring, strlen(item->valuestring) + 1);
        result = span.text;
    }
    cJSON_Delete(item);
    return result;
}

const char *smoe_json_scalar(smoe_json_span span)
{
    if (span.size > 0 && *span.text == '"')
        return smoe_json_string(span);
    size_t size = span.size;
    while (size > 0 && is_space(span.text[size - 1]))
        size--;
    for (size_t i = 0; i < size; i++) {
        const char c = span.text[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == 'E' || c == '+' || c == '-' || c == '.';
        if (!plain)
            return NULL;
    }
    if (size == 0 || (size == 4 && memcmp(span.text, "null", 4) == 0))
        return NULL;
    /* One byte towards the colon makes room for the NUL before the comma, which is still to be read. */
    memmove(span.text - 1, span.text, size);
    span.text[size - 1] = '\0';
    return span.text - 1;
}

smoe_result smoe_json_count(const smoe_file_host *host, smoe_json_object object, const char *what, uint32_t *count)
{
    smoe_json_span name, value;
    const char *reason = "";
    smoe_json_step step;
    for (*count = 0; (step = smoe_json_next(&object, &name, &value, &reason)) == SMOE_JSON_MEMBER; ++*count)
        if (name.size > MAX_NAME_SIZE)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "%s: a name is longer than %d bytes", what, MAX_NAME_SIZE);
    if (step == SMOE_JSON_BROKEN)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is not valid JSON: %s", what, reason);
    for (; object.at < object.end; object.at++)
        if (!is_space(*object.at))
            return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is not valid JSON: something follows it", what);
    return SMOE_SUCCESS;
}
