/* Finds the members of a JSON object without building a tree. */
#include "file_internal.h"

#include <string.h>

/* A tensor's entry nests two deep; a whole header four. The rest of cJSON's 1000 levels could only serve to exhaust a stack. */
#define MAX_DEPTH 8

static void skip_space(smoe_json_object *object)
{
    while (object->at < object->end &&
           (*object->at == ' ' || *object->at == '\t' || *object->at == '\n' || *object->at == '\r'))
        object->at++;
}

static bool next_is(const smoe_json_object *object, char expected)
{
    return object->at < object->end && *object->at == expected;
}

/* From the opening quote to behind the closing one. */
static bool skip_string(smoe_json_object *object, const char **reason)
{
    for (object->at++; object->at < object->end; object->at++) {
        const char c = *object->at;
        if (c == '"') {
            object->at++;
            return true;
        }
        if ((unsigned char)c < 0x20) {
            *reason = "a string holds a bare control character";
            return false;
        }
        if (c == '\\') {
            if (object->end - object->at >= 6 && memcmp(object->at, "\\u0000", 6) == 0) {
                *reason = "a string holds a NUL character";
                return false;
            }
            object->at++;
        }
    }
    *reason = "a string does not end";
    return false;
}

/* To the comma or brace that follows the value. */
static bool skip_value(smoe_json_object *object, const char **reason)
{
    int depth = 0;
    while (object->at < object->end) {
        const char c = *object->at;
        if (c == '"') {
            if (!skip_string(object, reason))
                return false;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}'))
            return true;
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        if (depth < 0 || depth > MAX_DEPTH) {
            *reason = depth < 0 ? "brackets do not match" : "it nests too deeply";
            return false;
        }
        object->at++;
    }
    *reason = "it does not end";
    return false;
}

smoe_json_step smoe_json_next(smoe_json_object *object, smoe_json_span *name, smoe_json_span *value, const char **reason)
{
    skip_space(object);
    if (!object->started) {
        if (!next_is(object, '{')) {
            *reason = "it is not an object";
            return SMOE_JSON_BROKEN;
        }
        object->at++;
        skip_space(object);
        if (next_is(object, '}')) {
            object->at++;
            return SMOE_JSON_END;
        }
        object->started = true;
    } else if (next_is(object, '}')) {
        object->at++;
        return SMOE_JSON_END;
    } else if (next_is(object, ',')) {
        object->at++;
        skip_space(object);
    } else {
        *reason = "a comma or a closing brace is missing";
        return SMOE_JSON_BROKEN;
    }
    if (!next_is(object, '"')) {
        *reason = "a member's name is missing";
        return SMOE_JSON_BROKEN;
    }
    name->text = object->at;
    if (!skip_string(object, reason))
        return SMOE_JSON_BROKEN;
    name->size = (size_t)(object->at - name->text);
    skip_space(object);
    if (!next_is(object, ':')) {
        *reason = "a colon is missing";
        return SMOE_JSON_BROKEN;
    }
    object->at++;
    skip_space(object);
    value->text = object->at;
    if (!skip_value(object, reason))
        return SMOE_JSON_BROKEN;
    value->size = (size_t)(object->at - value->text);
    return SMOE_JSON_MEMBER;
}
