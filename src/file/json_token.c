/* The tokens of JSON: strings, numbers, words. */
#include "json.h"

#include <string.h>

static bool broken(const char **reason, const char *why)
{
    *reason = why;
    return false;
}

void smoe_json_skip_blanks(char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t' || **at == '\n' || **at == '\r'))
        ++*at;
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

/* The four digits behind "\u"; false if they are not there. */
static bool read_unit(const char *at, const char *end, uint32_t *unit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return false;
    *unit = 0;
    for (int i = 2; i < 6; i++) {
        const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
        if (!digit)
            return false;
        *unit = *unit << 4 | (uint32_t)(digit - digits) % 16;
    }
    return true;
}

static size_t read_unicode(const char *at, const char *end, uint32_t *character, const char **reason)
{
    uint32_t low;
    if (!read_unit(at, end, character))
        return broken(reason, "\\u is not followed by four hexadecimal digits");
    if (*character == 0)
        return broken(reason, "a string holds a NUL character");
    if (*character < 0xd800 || *character > 0xdfff)
        return 6;
    if (*character > 0xdbff || !read_unit(at + 6, end, &low) || low < 0xdc00 || low > 0xdfff)
        return broken(reason, "a string holds half of a surrogate pair");
    *character = 0x10000 + ((*character - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

size_t smoe_json_escape(const char *at, const char *end, uint32_t *character, const char **reason)
{
    static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    if (end - at < 2)
        return broken(reason, "a string does not end");
    if (at[1] == 'u')
        return read_unicode(at, end, character, reason);
    const char *letter = at[1] ? strchr(letters, at[1]) : NULL;
    if (!letter)
        return broken(reason, "a string holds an escape that JSON does not have");
    *character = (unsigned char)characters[letter - letters];
    return 2;
}

bool smoe_json_skip_string(char **at, const char *end, const char **reason)
{
    uint32_t character;
    for (++*at; *at < end;) {
        const unsigned char c = (unsigned char)**at;
        if (c == '"') {
            ++*at;
            return true;
        }
        if (c < 0x20)
            return broken(reason, "a string holds a bare control character");
        const size_t size = c == '\\' ? smoe_json_escape(*at, end, &character, reason) : smoe_utf8_size(*at, end);
        if (size == 0)
            return c == '\\' ? false : broken(reason, "a string is not UTF-8");
        *at += size;
    }
    return broken(reason, "a string does not end");
}

/* ---- numbers and words ------------------------------------------------------------------------------------------- */

static size_t count_digits(const char *at, const char *end)
{
    size_t count = 0;
    while (at + count < end && at[count] >= '0' && at[count] <= '9')
        count++;
    return count;
}

static bool is_number(const char *at, const char *end)
{
    at += at < end && *at == '-';
    size_t digits = count_digits(at, end);
    if (digits == 0 || (digits > 1 && *at == '0'))
        return false;
    at += digits;
    if (at < end && *at == '.') {
        digits = count_digits(++at, end);
        if (digits == 0)
            return false;
        at += digits;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = count_digits(at, end);
        if (digits == 0)
            return false;
        at += digits;
    }
    return at == end;
}

static bool is_word(const char *at, size_t size, bool python)
{
    static const char *const words[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < (python ? 6 : 3); i++)
        if (size == strlen(words[i]) && memcmp(at, words[i], size) == 0)
            return true;
    return false;
}

static bool ends_word(char c)
{
    return strchr(" \t\n\r,:[]{}\"", c) != NULL; /* a NUL too */
}

bool smoe_json_skip_word(char **at, const char *end, bool python, const char **reason)
{
    const char *begin = *at;
    while (*at < end && !ends_word(**at))
        ++*at;
    if (*at == begin)
        return broken(reason, *at == end ? "it does not end" : "a value is missing");
    if (is_word(begin, (size_t)(*at - begin), python) || is_number(begin, *at))
        return true;
    return broken(reason, "a value is neither a number as JSON writes it nor true, false or null");
}
