/* Numbers of a file as the device wants them. */
#ifndef VISION_CONVERT_H
#define VISION_CONVERT_H

#include "smoe/layer_file.h"

/* A tensor of F32, F16 or BF16 as rows of `columns` numbers, each followed by zeros up to the stride. */
void convert_tensor(void *to, smoe_type to_type, size_t stride, const smoe_tensor *from, size_t rows, size_t columns);

#endif
