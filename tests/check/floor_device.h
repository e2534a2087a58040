/* The least that smoe runs on, as a device to act as. */
#ifndef FLOOR_DEVICE_H
#define FLOOR_DEVICE_H

#include "smoe/smoe.h"

/* A GPU: the tiles of software drivers are tested elsewhere. */
smoe_device_info floor_device(const char *name);

#endif
