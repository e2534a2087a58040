/* Text and numbers of the page. */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "program/html.h"

enum { LONGEST_TEXT = 300 };

void report_put(report_page *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(p->to, format, arguments);
    va_end(arguments);
}

void report_text(report_page *p, const char *text)
{
    program_html(p->to, text, LONGEST_TEXT);
}

bool report_known(double value)
{
    return isfinite(value) && value > 0;
}

/* Three digits, without an exponent: 1.23, 12.3, 123. */
static void print_digits(char *text, size_t size, double value)
{
    const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text, size, "%.*f", decimals, value);
}

static void trim_zeros(char *text)
{
    if (!strchr(text, '.'))
        return;
    for (size_t i = strlen(text); i > 0 && (text[i - 1] == '0' || text[i - 1] == '.'); i--) {
        const bool point = text[i - 1] == '.';
        text[i - 1] = '\0';
        if (point)
            break;
    }
}

/* value in units of a prefix; NULL: none is that small or large. */
static const char *find_prefix(double *value)
{
    static const char *const prefixes[] = {"p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E"};
    for (int i = 0; i < (int)(sizeof prefixes / sizeof *prefixes); i++) {
        const double scaled = *value / pow(1000, i - 4);
        if (scaled < 999.5) {
            *value = scaled;
            return scaled >= 0.0005 ? prefixes[i] : NULL;
        }
    }
    return NULL;
}

static const char *print_amount(char text[REPORT_TEXT_SIZE], double value, const char *unit, bool trimmed)
{
    const char *prefix = report_known(value) ? find_prefix(&value) : NULL;
    char digits[32];
    if (!prefix)
        snprintf(text, REPORT_TEXT_SIZE, "–");
    else {
        print_digits(digits, sizeof digits, value);
        if (trimmed)
            trim_zeros(digits);
        snprintf(text, REPORT_TEXT_SIZE, "%s %s%s", digits, prefix, unit);
    }
    return text;
}

const char *report_amount(char text[REPORT_TEXT_SIZE], double value, const char *unit)
{
    return print_amount(text, value, unit, false);
}

const char *report_tick(char text[REPORT_TEXT_SIZE], double value, const char *unit)
{
    return print_amount(text, value, unit, true);
}

const char *report_time(char text[REPORT_TEXT_SIZE], double nanoseconds)
{
    return report_amount(text, nanoseconds / 1e9, "s");
}

const char *report_number(char text[REPORT_TEXT_SIZE], double value, int digits)
{
    if (isfinite(value))
        snprintf(text, REPORT_TEXT_SIZE, "%.*g", digits, value);
    else
        snprintf(text, REPORT_TEXT_SIZE, "–");
    return text;
}

const char *report_share(char text[REPORT_TEXT_SIZE], double share)
{
    if (isfinite(share))
        snprintf(text, REPORT_TEXT_SIZE, share < 0.0995 ? "%.1f %%" : "%.0f %%", 100 * share);
    else
        snprintf(text, REPORT_TEXT_SIZE, "–");
    return text;
}
