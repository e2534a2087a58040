#include "text.h"

#include <stdio.h>
#include <string.h>

/* Source: the Unicode Standard, table 3-7 (well-formed UTF-8). */
size_t smoe_utf8_size(const char *at, const char *end)
{
    const unsigned char *c = (const unsigned char *)at;
    const size_t size = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    if (size > (size_t)(end - at))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    /* no longer form than needed, no halves of surrogate pairs, nothing beyond U+10FFFF */
    const unsigned char least = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;
    return size < 3 || (c[1] >= least && c[1] <= most) ? size : 0;
}

bool smoe_utf8_valid(const char *text)
{
    const char *end = text + strlen(text);
    size_t size = 1;
    for (; text < end && size > 0; text += size)
        size = smoe_utf8_size(text, end);
    return size > 0;
}

/* Bytes of the control character at `at`: C0, DEL, and C1, which is U+0080 to U+009F. */
static size_t control_size(const char *at, size_t size)
{
    const unsigned char *c = (const unsigned char *)at;
    if (size == 1)
        return c[0] < 0x20 || c[0] == 0x7f ? 1 : 0;
    return size == 2 && c[0] == 0xc2 && c[1] < 0xa0 ? 2 : 0;
}

bool smoe_text_clean(char *text, char replacement)
{
    const char *end = text + strlen(text);
    bool clean = true;
    while (text < end) {
        const size_t size = smoe_utf8_size(text, end);
        const size_t wrong = size == 0 ? 1 : control_size(text, size);
        memset(text, replacement, wrong);
        clean = clean && wrong == 0;
        text += wrong > 0 ? wrong : size;
    }
    return clean;
}

void smoe_number_clean(char *text)
{
    static const char plain[] = "+-0123456789abcdefghijklmnopqrstuvwxyz"; /* digits, "e", "inf" and "nan" */
    char *out = text + strspn(text, plain);
    if (!*out)
        return;
    const char *rest = out + strcspn(out, plain);
    *out = '.';
    memmove(out + 1, rest, strlen(rest) + 1);
}

const char *smoe_number_text(char text[SMOE_NUMBER_SIZE], int digits, double value)
{
    snprintf(text, SMOE_NUMBER_SIZE, "%.*g", digits, value);
    smoe_number_clean(text);
    return text;
}
