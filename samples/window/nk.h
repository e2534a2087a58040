/* Nuklear as this program is built with it. Every file includes it by this name, so that all see the same structs. */
#ifndef WINDOW_NK_H
#define WINDOW_NK_H

#pragma GCC system_header /* no warnings from what is not ours */

#define NK_INCLUDE_FIXED_TYPES
#define NK_INCLUDE_STANDARD_BOOL
#define NK_INCLUDE_STANDARD_IO
#define NK_INCLUDE_STANDARD_VARARGS
#define NK_INCLUDE_DEFAULT_ALLOCATOR
#define NK_INCLUDE_VERTEX_BUFFER_OUTPUT
#define NK_INCLUDE_FONT_BAKING
#define NK_UINT_DRAW_INDEX
#include "nuklear/nuklear.h"

#endif
