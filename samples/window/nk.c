/* Nuklear's implementation, as it is: nk.h keeps compilers from warning of it. */
#define NK_IMPLEMENTATION
#include "nk.h"
