#include <stdlib.h>
#include <string.h>

#include "capability_file.h"

const char *matrix_shape_text(const smoe_matrix_shape *shape, char text[MATRIX_TEXT_SIZE])
{
    snprintf(text, MATRIX_TEXT_SIZE, "%ux%ux%u %s", shape->rows, shape->columns, shape->depth, smoe_type_name(shape->type));
    return text;
}

bool matrix_shape_parse(const char *text, smoe_matrix_shape *out)
{
    char again[MATRIX_TEXT_SIZE], *end;
    unsigned long sides[3];
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        if (strspn(at, "0123456789") < 1 || strspn(at, "0123456789") > 9)
            return false;
        sides[i] = strtoul(at, &end, 10);
        at = end + (i < 2 && *end == 'x');
    }
    *out = (smoe_matrix_shape){strcmp(at, " float16") == 0 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16, (uint32_t)sides[0],
                               (uint32_t)sides[1], (uint32_t)sides[2]};
    return strcmp(matrix_shape_text(out, again), text) == 0; /* no leading zero, nothing left out, nothing behind */
}
