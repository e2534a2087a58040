/* What a value of JSON says, as C has it. */
#include "file_internal.h"

#include <string.h>

#define MAX_NAME_SIZE 4096

static char *put_utf8(char *out, uint32_t character)
{
    if (character < 0x80) {
        *out++ = (char)character;
        return out;
    }
    const int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const unsigned char marks[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (char)(marks[more] | character >> 6 * more);
    for (int i = more; i-- > 0;)
        *out++ = (char)(0x80 | (character >> 6 * i & 0x3f));
    return out;
}

const char *smoe_json_string(smoe_json_span value)
{
    if (value.size < 2 || *value.text != '"')
        return NULL;
    const char *reason, *end = value.text + value.size - 1;
    char *out = value.text;
    for (const char *at = value.text + 1; at < end;) {
        uint32_t character;
        if (*at == '\\') {
            at += smoe_json_escape(at, end, &character, &reason);
            out = put_utf8(out, character);
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
    return value.text;
}

bool smoe_json_is_number(smoe_json_span value)
{
    return value.size > 0 && (*value.text == '-' || (*value.text >= '0' && *value.text <= '9'));
}

const char *smoe_json_scalar(smoe_json_span value)
{
    if (value.size > 0 && *value.text == '"')
        return smoe_json_string(value);
    if (!smoe_json_is_number(value) && !(value.size > 0 && (*value.text == 't' || *value.text == 'f')))
        return NULL;
    /* A colon, comma, bracket or blank stands before it, and has been read: one byte there makes room for the NUL
     * before what follows, which is still to be read. */
    memmove(value.text - 1, value.text, value.size);
    value.text[value.size - 1] = '\0';
    return value.text - 1;
}

bool smoe_json_number(smoe_json_span value, double *out)
{
    return smoe_json_is_number(value) && smoe_file_parse_number(smoe_json_scalar(value), out);
}

bool smoe_json_whole(smoe_json_span value, uint64_t most, uint64_t *out)
{
    double real;
    if (!smoe_json_is_number(value))
        return false;
    const char *text = smoe_json_scalar(value);
    if (smoe_file_parse_integer(text, out))
        return *out <= most;
    /* 1e3, 2.0, -0 */
    if (!smoe_file_parse_number(text, &real) || !(real >= 0) || real > (double)most)
        return false;
    *out = (uint64_t)real;
    return (double)*out == real;
}

smoe_result smoe_json_count(const smoe_file_host *host, smoe_json_cursor object, const char *what, uint32_t *count)
{
    smoe_json_span name, value;
    const char *reason = "";
    smoe_json_step step;
    for (*count = 0; (step = smoe_json_next_member(&object, &name, &value, &reason)) == SMOE_JSON_ITEM; ++*count)
        if (name.size > MAX_NAME_SIZE)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "%s: a name is longer than %d bytes", what, MAX_NAME_SIZE);
    if (step == SMOE_JSON_BROKEN && name.size > 0)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is not valid JSON: the value of %.*s: %s", what,
                              (int)(name.size < 82 ? name.size : 82), name.text, reason);
    if (step == SMOE_JSON_BROKEN) {
        const char *known = *count == 0 ? smoe_file_known_format(object.at, (size_t)(object.end - object.at)) : NULL;
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is not valid JSON: %s", what, known ? known : reason);
    }
    smoe_json_skip_blanks(&object.at, object.end);
    if (object.at < object.end)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is not valid JSON: something follows it", what);
    return SMOE_SUCCESS;
}
