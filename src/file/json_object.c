/* Walks the members of an object and the elements of an array. */
#include "json.h"

smoe_json_cursor smoe_json_enter(smoe_json_span value)
{
    return (smoe_json_cursor){value.text, value.text + value.size, 0, false, false};
}

static bool next_is(const smoe_json_cursor *in, char expected)
{
    return in->at < in->end && *in->at == expected;
}

static smoe_json_step broken(const char **reason, const char *why)
{
    *reason = why;
    return SMOE_JSON_BROKEN;
}

/* To the first byte of the next item, behind the opening bracket or a comma. */
static smoe_json_step next_item(smoe_json_cursor *in, char opening, char closing, const char **reason)
{
    const bool first = !in->started;
    smoe_json_skip_blanks(&in->at, in->end);
    if (first) {
        if (!next_is(in, opening))
            return broken(reason, opening == '{' ? "it is not an object" : "it is not an array");
        in->started = true;
        in->at++;
        smoe_json_skip_blanks(&in->at, in->end);
    }
    if (next_is(in, closing)) {
        in->at++;
        return SMOE_JSON_END;
    }
    if (!first) {
        if (!next_is(in, ','))
            return broken(reason, in->at == in->end ? "it does not end" : "a comma or a closing bracket is missing");
        in->at++;
        smoe_json_skip_blanks(&in->at, in->end);
    }
    return in->at < in->end ? SMOE_JSON_ITEM : broken(reason, "it does not end");
}

static bool skip_container(smoe_json_cursor *in, const char **reason)
{
    smoe_json_cursor inner = {in->at, in->end, in->depth + 1, false, in->python};
    const bool is_object = *in->at == '{';
    smoe_json_span name, value;
    smoe_json_step step;
    if (inner.depth > SMOE_JSON_MAX_DEPTH) {
        *reason = "it nests too deeply";
        return false;
    }
    do
        step = is_object ? smoe_json_next_member(&inner, &name, &value, reason)
                         : smoe_json_next_element(&inner, &value, reason);
    while (step == SMOE_JSON_ITEM);
    in->at = inner.at;
    return step == SMOE_JSON_END;
}

static smoe_json_step take_value(smoe_json_cursor *in, smoe_json_span *value, const char **reason)
{
    value->text = in->at;
    const bool good = next_is(in, '"') ? smoe_json_skip_string(&in->at, in->end, reason)
                      : next_is(in, '{') || next_is(in, '[')
                          ? skip_container(in, reason)
                          : smoe_json_skip_word(&in->at, in->end, in->python, reason);
    value->size = (size_t)(in->at - value->text);
    return good ? SMOE_JSON_ITEM : SMOE_JSON_BROKEN;
}

smoe_json_step smoe_json_next_member(smoe_json_cursor *object, smoe_json_span *name, smoe_json_span *value,
                                     const char **reason)
{
    name->size = 0;
    const smoe_json_step step = next_item(object, '{', '}', reason);
    if (step != SMOE_JSON_ITEM)
        return step;
    if (!next_is(object, '"'))
        return broken(reason, "a member's name is missing");
    name->text = object->at;
    if (!smoe_json_skip_string(&object->at, object->end, reason))
        return SMOE_JSON_BROKEN;
    const size_t size = (size_t)(object->at - name->text);
    smoe_json_skip_blanks(&object->at, object->end);
    if (!next_is(object, ':'))
        return broken(reason, "a colon is missing");
    object->at++;
    smoe_json_skip_blanks(&object->at, object->end);
    name->size = size;
    return take_value(object, value, reason);
}

smoe_json_step smoe_json_next_element(smoe_json_cursor *array, smoe_json_span *value, const char **reason)
{
    const smoe_json_step step = next_item(array, '[', ']', reason);
    return step == SMOE_JSON_ITEM ? take_value(array, value, reason) : step;
}
