/* The keys of a capability file, one list for its reader and its writer, and the reading of their values. */
#ifndef SMOE_CAPABILITY_FIELDS_H
#define SMOE_CAPABILITY_FIELDS_H

#include <smoe/capability_file.h>

#include <stddef.h>

#include "file_internal.h"

typedef enum smoe_capability_kind {
    SMOE_KIND_TEXT,         /* a string that fits its field */
    SMOE_KIND_TYPE,         /* smoe_device_type_name */
    SMOE_KIND_HEX,          /* uint32_t as "0x1a2b" */
    SMOE_KIND_NUMBER,       /* uint32_t */
    SMOE_KIND_SIZE,         /* uint64_t up to 2^53 */
    SMOE_KIND_REAL,         /* float */
    SMOE_KIND_TRUTH,        /* bool */
    SMOE_KIND_VERSION,      /* "1.3.0" */
    SMOE_KIND_UUID,         /* 32 hexadecimal digits */
    SMOE_KIND_COUNTS,       /* [x, y, z] */
    SMOE_KIND_CAPABILITIES, /* names */
    SMOE_KIND_MATRICES,     /* of the whole description: as smoe_matrix_shape_text */
    SMOE_KIND_COUNT
} smoe_capability_kind;

typedef struct smoe_capability_field {
    const char *key;
    smoe_capability_kind kind;
    size_t offset, size;
} smoe_capability_field;

#define SMOE_FIELD(name, kind) {#name, kind, offsetof(smoe_device_info, name), sizeof(((smoe_device_info *)0)->name)}

static const smoe_capability_field smoe_capability_fields[] = {
    SMOE_FIELD(name, SMOE_KIND_TEXT),
    SMOE_FIELD(type, SMOE_KIND_TYPE),
    SMOE_FIELD(vendor_id, SMOE_KIND_HEX),
    SMOE_FIELD(device_id, SMOE_KIND_HEX),
    SMOE_FIELD(driver_id, SMOE_KIND_NUMBER),
    SMOE_FIELD(driver_name, SMOE_KIND_TEXT),
    SMOE_FIELD(driver_info, SMOE_KIND_TEXT),
    SMOE_FIELD(driver_version, SMOE_KIND_HEX),
    SMOE_FIELD(api_version, SMOE_KIND_VERSION),
    SMOE_FIELD(uuid, SMOE_KIND_UUID),
    SMOE_FIELD(capabilities, SMOE_KIND_CAPABILITIES),
    SMOE_FIELD(subgroup_size, SMOE_KIND_NUMBER),
    SMOE_FIELD(subgroup_size_min, SMOE_KIND_NUMBER),
    SMOE_FIELD(subgroup_size_max, SMOE_KIND_NUMBER),
    SMOE_FIELD(max_workgroup_invocations, SMOE_KIND_NUMBER),
    SMOE_FIELD(max_workgroup_size_x, SMOE_KIND_NUMBER),
    SMOE_FIELD(max_workgroup_count, SMOE_KIND_COUNTS),
    SMOE_FIELD(max_shared_memory_size, SMOE_KIND_NUMBER),
    SMOE_FIELD(max_stage_storage_buffers, SMOE_KIND_NUMBER),
    SMOE_FIELD(max_storage_buffer_range, SMOE_KIND_SIZE),
    SMOE_FIELD(min_storage_buffer_offset_alignment, SMOE_KIND_SIZE),
    SMOE_FIELD(max_allocation_size, SMOE_KIND_SIZE),
    SMOE_FIELD(device_memory_size, SMOE_KIND_SIZE),
    SMOE_FIELD(timestamp_period, SMOE_KIND_REAL),
    {"matrix_shapes", SMOE_KIND_MATRICES, 0, sizeof(smoe_device_info)},
    SMOE_FIELD(usable, SMOE_KIND_TRUTH),
    SMOE_FIELD(reason, SMOE_KIND_TEXT),
};
#undef SMOE_FIELD

#define SMOE_CAPABILITY_FIELD_COUNT (sizeof smoe_capability_fields / sizeof smoe_capability_fields[0])
#define SMOE_CAPABILITY_VERSION_KEY "smoe_device"

/* Reads a key's value into its field, or into the fields that its kind says. FILE, and a line that begins with the
 * key. */
smoe_result smoe_capability_read_value(const smoe_file_host *host, const smoe_capability_field *field,
                                       smoe_json_span value, smoe_device_info *out);
smoe_result smoe_capability_read_whole(const smoe_file_host *host, const char *key, smoe_json_span value, uint64_t most,
                                       uint64_t *out);

#endif
