/* What the files of smoe-devices share. */
#ifndef DEVICES_H
#define DEVICES_H

#include <smoe/smoe.h>

/* Everything smoe-devices says of a device, after the line with its number and name. */
void print_device(const smoe_device_info *info);

#endif
