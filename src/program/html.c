#include "html.h"
#include "text.h"

static int write_character(FILE *to, const char *text, int bytes, uint32_t code)
{
    if (bytes == 0 || code == 0xfffd || (code >= 0x80 && code < 0xa0))
        return fprintf(to, "&#65533;");
    if (code < 0x20 || code == 0x7f)
        return fprintf(to, "&#%u;",
                       code < 0x20 ? 0x2400 + code : 0x2421); /* Unicode's pictures of control characters */
    if (code == '<' || code == '>' || code == '&' || code == '"' || code == '\'')
        return fprintf(to, "&#%u;", code);
    return fprintf(to, "%.*s", bytes, text);
}

uint64_t program_html(FILE *to, const char *text, uint32_t most)
{
    uint64_t size = 0;
    for (uint32_t i = 0; *text; i++) {
        uint32_t code;
        const int bytes = i == most ? 0 : program_decode(text, &code);
        const int written = i == most ? fprintf(to, "…") : write_character(to, text, bytes, code);
        size += written > 0 ? (uint64_t)written : 0;
        if (i == most)
            break;
        text += bytes ? bytes : 1;
    }
    return size;
}
