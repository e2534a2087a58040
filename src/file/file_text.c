/* The text that files are written with. */
#include "file_internal.h"

#include <string.h>

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
