#include "convert.h"

#include <string.h>

void convert_tensor(void *to, smoe_type to_type, size_t stride, const smoe_tensor *from, size_t rows, size_t columns)
{
    smoe_type from_type = SMOE_TYPE_FLOAT32;
    smoe_tensor_type_weights(from->type, &from_type);
    const size_t from_size = smoe_type_size(from_type, 1), to_size = smoe_type_size(to_type, 1);
    for (size_t r = 0; r < rows; r++) {
        unsigned char *row = (unsigned char *)to + r * stride * to_size;
        smoe_type_convert(row, to_type, (const unsigned char *)from->data + r * columns * from_size, from_type,
                          columns);
        memset(row + columns * to_size, 0, (stride - columns) * to_size);
    }
}
