/* Nuklear's implementation. SConstruct turns warnings off for this file alone. */
#define NK_IMPLEMENTATION
#include "nk.h"
