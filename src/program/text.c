#include "text.h"

#include <string.h>

int program_decode(const char *text, uint32_t *code)
{
    const unsigned char *bytes = (const unsigned char *)text;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = *bytes;
    const int length = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    *code = length < 2 ? first : first & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) /* the final 0 too */
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    return *code < least[length] || (*code >= 0xd800 && *code < 0xe000) || *code > 0x10ffff ? 0 : length;
}

/* Without the control characters of Unicode, those that turn the direction of what follows among them. */
int program_printable(const char *character)
{
    uint32_t code;
    const int length = program_decode(character, &code);
    const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
                         (code >= 0x2066 && code <= 0x2069);
    return control ? 0 : length;
}

/* One character or what stands for it, into `out`. Returns the bytes of `text` that it took; columns: what it takes on
 * a terminal. */
static int spell(const char *text, char out[8], uint32_t *columns)
{
    const int length = program_printable(text);
    *columns = 1;
    if (length > 0) {
        memcpy(out, text, (size_t)length);
        out[length] = '\0';
        return length;
    }
    if (*text == '\n' || *text == '\t')
        *columns = (uint32_t)snprintf(out, 8, *text == '\n' ? "\\n" : "\\t");
    else
        *columns = (uint32_t)snprintf(out, 8, "\\x%02x", (unsigned)(unsigned char)*text);
    return 1;
}

void program_print(FILE *to, const char *text)
{
    char out[8];
    for (uint32_t columns; *text; fputs(out, to))
        text += spell(text, out, &columns);
}

void program_print_name(FILE *to, const char *name, uint32_t least, uint32_t most, bool right)
{
    char out[8];
    uint32_t size = 0, columns = 0, more = 0;
    for (int bytes; name[size] && (bytes = spell(name + size, out, &more)) > 0 && columns + more <= most;
         columns += more)
        size += (uint32_t)bytes;
    if (right && columns < least)
        fprintf(to, "%*s", (int)(least - columns), "");
    for (uint32_t i = 0; i < size; fputs(out, to))
        i += (uint32_t)spell(name + i, out, &more);
    if (!right && columns < least)
        fprintf(to, "%*s", (int)(least - columns), "");
}
