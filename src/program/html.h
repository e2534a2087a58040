/* Text from anywhere as HTML. */
#ifndef PROGRAM_HTML_H
#define PROGRAM_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Writes text as HTML's text or quoted attribute: markup, control characters and what is no UTF-8 do no harm. At most
 * `most` characters, then an ellipsis. Gives the bytes written; failures are the stream's to remember. */
uint64_t program_html(FILE *to, const char *text, uint32_t most);

#endif
