#include "fail.h"

#include <stdarg.h>
#include <stdint.h>

static bool progress_shown;

/* Bytes of the character at `text`, if it can be printed as it is; 0 if not. RFC 3629, without the control characters of Unicode. */
static int printable(const unsigned char *text)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const int length = *text < 0x80 ? 1 : *text < 0xc0 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : *text < 0xf8 ? 4 : 0;
    uint32_t code = length < 2 ? *text : *text & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) /* the final 0 too */
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
    return control || code < least[length] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ? 0 : length;
}

void vision_print(FILE *to, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const int length = printable(at);
        if (length > 0)
            fwrite(at, 1, (size_t)length, to);
        else if (*at == '\n' || *at == '\t')
            fputs(*at == '\n' ? "\\n" : "\\t", to);
        else
            fprintf(to, "\\x%02x", *at);
        at += length > 0 ? length : 1;
    }
}

bool vision_fail(const char *format, ...)
{
    char line[16384]; /* some file names and what is wrong with them; more is cut off */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs(progress_shown ? "\r\033[Ksmoe-classify: " : "smoe-classify: ", stderr);
    vision_print(stderr, line);
    fputc('\n', stderr);
    progress_shown = false;
    return false;
}

void vision_show_progress(const char *line)
{
    if (line)
        fprintf(stderr, "\r%s", line);
    else if (progress_shown)
        fputc('\n', stderr);
    progress_shown = line != NULL;
}
