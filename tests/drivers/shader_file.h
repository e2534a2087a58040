/* Compute shaders of others than the library: the samples', the benchmark's, a test's. */
#ifndef DRIVERS_SHADER_FILE_H
#define DRIVERS_SHADER_FILE_H

#include <stdbool.h>

#include <smoe/device.h>

/* Compiles the SPIR-V of a file with its constants' defaults, or writes {"refused": ...} where it asks for texel
 * buffers, or for subgroup operations that the device does not have. false, and a line on stderr, where the file is
 * none. */
bool shader_file_compile(const smoe_device *device, const char *path);

#endif
