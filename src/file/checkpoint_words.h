/* The words for rows of the tables of checkpoints' formats, GGUF's too. */
#ifndef SMOE_CHECKPOINT_WORDS_H
#define SMOE_CHECKPOINT_WORDS_H

#include "checkpoint_format.h"

#include <stddef.h>

#define ALWAYS(slot, name, axes)                                                                                       \
    {                                                                                                                  \
        SMOE_SLOT_##slot, name, axes, NULL                                                                             \
    }

#define OPTIONAL(slot, name, axes)                                                                                     \
    {                                                                                                                  \
        SMOE_SLOT_##slot, name, axes, name                                                                             \
    }

#define WITH(tensor, slot, name, axes)                                                                                 \
    {                                                                                                                  \
        SMOE_SLOT_##slot, name, axes, tensor                                                                           \
    }

#define WITHOUT(tensor, slot, name, axes)                                                                              \
    {                                                                                                                  \
        SMOE_SLOT_##slot, name, axes, SMOE_WITHOUT tensor                                                              \
    }

#define END                                                                                                            \
    {                                                                                                                  \
        SMOE_SLOT_COUNT, NULL, NULL, NULL                                                                              \
    }

#define SETTING(field, key, absent)                                                                                    \
    {                                                                                                                  \
        SMOE_CONFIG_##field, key, absent, NULL                                                                         \
    }

#define LAST                                                                                                           \
    {                                                                                                                  \
        SMOE_CONFIG_END, NULL, NULL, NULL                                                                              \
    }

#endif
