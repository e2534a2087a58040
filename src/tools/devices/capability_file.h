/* A capability file: a smoe_device_info as JSON, so that selection can be replayed where the device is not. One flat object; its keys
 * are the fields of smoe_device_info, all of them (matrix_shapes with its count) and no others, and `smoe_device`, the version of the
 * format. Sizes beyond 2^53, which JSON's readers round, are written as 2^53. */
#ifndef CAPABILITY_FILE_H
#define CAPABILITY_FILE_H

#include <stdio.h>

#include <smoe/smoe.h>

#define CAPABILITY_FILE_VERSION 2 /* counts up with every change of the keys or their meaning: 2 has matrix_shapes */
#define CAPABILITY_FILE_MAX_SIZE 65536u /* bytes */
#define CAPABILITY_REASON_SIZE 256

/* size bytes of text and a NUL behind them. False: `reason` is one line with the key and the rule it breaks. A description that
 * Vulkan does not allow is refused too; one below smoe's floor is read as not usable. */
bool capability_parse(const char *text, size_t size, smoe_device_info *out, char reason[CAPABILITY_REASON_SIZE]);

/* path "-" is the standard input. */
bool capability_read(const char *path, smoe_device_info *out, char reason[CAPABILITY_REASON_SIZE]);

/* False when the stream fails. The strings are written clean: a driver's may have control characters, which a file may not. */
bool capability_write(FILE *stream, const smoe_device_info *info);

/* A space for every byte of a control character, escapes and line breaks among them: a terminal would obey it. Qualcomm's driver_info has
 * four lines. Of one text, false where it had any; of every string of a description. */
bool capability_text_clean(char *text);
void capability_clean(smoe_device_info *info);

/* The capability's name in files and listings, NULL past the last one. */
const char *capability_name(uint32_t index, uint32_t *bit);

/* A shape of matrix in files and listings, "16x16x16 float16", and back: false for any other text. */
#define MATRIX_TEXT_SIZE 48
const char *matrix_shape_text(const smoe_matrix_shape *shape, char text[MATRIX_TEXT_SIZE]);
bool matrix_shape_parse(const char *text, smoe_matrix_shape *out);

/* A device type's name in files and listings. */
const char *device_type_name(VkPhysicalDeviceType type);

#endif
