/* The keys of a capability file: one list for its reader and its writer. */
#ifndef CAPABILITY_FIELDS_H
#define CAPABILITY_FIELDS_H

#include <stddef.h>

#include <smoe/smoe.h>

typedef enum capability_kind {
    KIND_TEXT,         /* a string that fits its field */
    KIND_TYPE,         /* device_type_name */
    KIND_HEX,          /* uint32_t as "0x1002" */
    KIND_NUMBER,       /* uint32_t */
    KIND_SIZE,         /* uint64_t up to 2^53 */
    KIND_REAL,         /* float */
    KIND_TRUTH,        /* bool */
    KIND_VERSION,      /* "1.3.0" */
    KIND_UUID,         /* 32 hexadecimal digits */
    KIND_COUNTS,       /* [x, y, z] */
    KIND_CAPABILITIES, /* names */
    KIND_MATRICES,     /* of the whole description: as matrix_shape_text */
} capability_kind;

typedef struct capability_field {
    const char *key;
    capability_kind kind;
    size_t offset, size;
} capability_field;

#define FIELD(name, kind) {#name, kind, offsetof(smoe_device_info, name), sizeof(((smoe_device_info *)0)->name)}

static const capability_field capability_fields[] = {
    FIELD(name, KIND_TEXT),
    FIELD(type, KIND_TYPE),
    FIELD(vendor_id, KIND_HEX),
    FIELD(device_id, KIND_HEX),
    FIELD(driver_id, KIND_NUMBER),
    FIELD(driver_name, KIND_TEXT),
    FIELD(driver_info, KIND_TEXT),
    FIELD(driver_version, KIND_HEX),
    FIELD(api_version, KIND_VERSION),
    FIELD(uuid, KIND_UUID),
    FIELD(capabilities, KIND_CAPABILITIES),
    FIELD(subgroup_size, KIND_NUMBER),
    FIELD(subgroup_size_min, KIND_NUMBER),
    FIELD(subgroup_size_max, KIND_NUMBER),
    FIELD(max_workgroup_invocations, KIND_NUMBER),
    FIELD(max_workgroup_size_x, KIND_NUMBER),
    FIELD(max_workgroup_count, KIND_COUNTS),
    FIELD(max_shared_memory_size, KIND_NUMBER),
    FIELD(max_stage_storage_buffers, KIND_NUMBER),
    FIELD(max_storage_buffer_range, KIND_SIZE),
    FIELD(min_storage_buffer_offset_alignment, KIND_SIZE),
    FIELD(max_allocation_size, KIND_SIZE),
    FIELD(device_memory_size, KIND_SIZE),
    FIELD(timestamp_period, KIND_REAL),
    {"matrix_shapes", KIND_MATRICES, 0, sizeof(smoe_device_info)},
    FIELD(usable, KIND_TRUTH),
    FIELD(reason, KIND_TEXT),
};
#undef FIELD

#define CAPABILITY_FIELD_COUNT (sizeof capability_fields / sizeof capability_fields[0])
#define CAPABILITY_VERSION_KEY "smoe_device"
#define CAPABILITY_MAX_SIZE (1ull << 53)

#endif
