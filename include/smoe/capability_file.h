/* Capability files: a smoe_device_info as JSON, so that kernels can be chosen as on a device that is elsewhere. One flat object; its
 * keys are the fields of smoe_device_info, all of them (matrix_shapes with its count) and no others, and `smoe_device`, the version
 * of the format. Numbers, truth values and max_workgroup_count are JSON's own; type, capabilities and matrix_shapes are the names and
 * texts below; vendor_id, device_id and driver_version are strings like "0x1a2b", api_version is one like "1.3.0", uuid one of 32
 * hexadecimal digits. Part of libsmoe-file: needs no device. The general rules of smoe.h hold, those on threads too. Paths are as in
 * layer_file.h. */
#ifndef SMOE_CAPABILITY_FILE_H
#define SMOE_CAPABILITY_FILE_H

#include "smoe.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts up with every change of the keys or their meaning: 2 has matrix_shapes. Files of other versions are refused. */
#define SMOE_CAPABILITY_FILE_VERSION 2
#define SMOE_CAPABILITY_FILE_MAX_SIZE 65536u /* bytes; larger ones are refused */

/* ---- files --------------------------------------------------------------------------------------------------------- */

/* Reads the size bytes of a capability file at text, which need no NUL behind them; one byte order mark may stand before them. name
 * stands where a path does in the log's line, "NAME: key: rule". A description that Vulkan does not allow is refused like any other
 * damage; one below smoe's floor is read as not usable, with the reason that its driver would get. On failure *out is all zero.
 * Errors: INVALID_ARGUMENT (a NULL), FILE, UNSUPPORTED (another version of the format), OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_capability_file_parse(const char *text, size_t size, const char *name, const smoe_allocator *allocator,
                                                const smoe_log *log, smoe_device_info *out);

/* The same from a file, by its path. Errors: those, and FILE where it cannot be read, or is no regular file. */
SMOE_API smoe_result smoe_capability_file_read(const char *path, const smoe_allocator *allocator, const smoe_log *log,
                                               smoe_device_info *out);

/* The text of info's capability file. With text == NULL, *size receives its bytes; else *size says how many there is room for, all of
 * it is written or nothing, and *size becomes the bytes written. No NUL is behind them. Strings are written with a space for each
 * byte of control characters and of what is not UTF-8, sizes beyond 2^53, which other readers of JSON would round, as 2^53.
 * Errors: INVALID_ARGUMENT (a NULL, too little room, a number that JSON does not have). */
SMOE_API smoe_result smoe_capability_file_text(const smoe_device_info *info, const smoe_log *log, size_t *size, char *text);

/* Writes the same text as a file, which takes its place once it is whole, as smoe_layer_file_write has it: a call that fails leaves what
 * was there.
 * Errors: INVALID_ARGUMENT (also: a number that JSON does not have), FILE (cannot be written), OUT_OF_HOST_MEMORY. */
SMOE_API smoe_result smoe_capability_file_write(const char *path, const smoe_device_info *info, const smoe_allocator *allocator,
                                                const smoe_log *log);

/* ---- names, as files and listings have them ------------------------------------------------------------------------- */

/* A capability's name, for one bit of SMOE_CAPABILITY_*, such as "subgroup_shuffle": static memory; NULL for any other number, so that
 * 1, 2, 4, ... until NULL are all of them. */
SMOE_API const char *smoe_capability_name(uint32_t capability);
/* The capability of a name; false, and *out as it was, for a text that is none. */
SMOE_API bool smoe_capability_find(const char *name, uint32_t *out);

/* A device type's name, such as "discrete GPU": static memory; "other" for a number that is no type. */
SMOE_API const char *smoe_device_type_name(VkPhysicalDeviceType type);

/* A shape of matrix as "16x16x16 float16": rows, columns, depth, type. Returns text. */
#define SMOE_MATRIX_SHAPE_TEXT_SIZE 48
SMOE_API const char *smoe_matrix_shape_text(const smoe_matrix_shape *shape, char text[SMOE_MATRIX_SHAPE_TEXT_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
