/* The push constants as C sees them. */
#ifndef SMOE_OBJECTS_PUSH_H
#define SMOE_OBJECTS_PUSH_H

#include <stdint.h>

#include "../../shaders/common/interface.h"

#define SMOE_PUSH_UINT uint32_t
#define SMOE_PUSH_FLOAT float

typedef struct smoe_push {
    SMOE_PUSH_FIELDS(SMOE_PUSH_UINT, SMOE_PUSH_FLOAT)
} smoe_push;

_Static_assert(sizeof(smoe_push) <= 128, "128 bytes of push constants are Vulkan's floor");

#endif
