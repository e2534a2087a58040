#include "image_file.h"

#include <stdarg.h>
#include <stdio.h>

bool image_refuse(image_file *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->reason, IMAGE_REASON_SIZE, format, arguments);
    va_end(arguments);
    return false;
}
