/* Text: what is cleaned of it, and what files are written with. */
#include "file_internal.h"

#include <string.h>

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

void smoe_sink_text(smoe_sink *out, const char *text)
{
    const size_t size = strlen(text);
    if (out->text)
        memcpy(out->text + out->size, text, size);
    out->size += size;
}

void smoe_sink_string(smoe_sink *out, const char *text)
{
    smoe_sink_text(out, "\"");
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        char piece[8] = {*text, 0};
        if (c == '"' || c == '\\')
            snprintf(piece, sizeof piece, "\\%c", c);
        else if (c < 0x20)
            snprintf(piece, sizeof piece, "\\u%04x", c);
        smoe_sink_text(out, piece);
    }
    smoe_sink_text(out, "\"");
}
