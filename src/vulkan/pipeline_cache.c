#include "pipeline_cache.h"

#include <string.h>

#define VERSION 1u /* of the header */

typedef struct cache_header {
    char magic[8];
    uint32_t version, reserved; /* reserved: 0 */
    smoe_pipeline_cache_origin origin;
    uint64_t size; /* of the driver's data */
    uint64_t hash; /* of the header before it, and of the driver's data */
} cache_header;

_Static_assert(sizeof(cache_header) == SMOE_PIPELINE_CACHE_HEADER_SIZE, "no padding, whose bytes nobody knows");

static const char magic[sizeof((cache_header *)0)->magic] = {'s', 'm', 'o', 'e', 'p', 'i', 'p', 'e'};

smoe_pipeline_cache_origin smoe_pipeline_cache_origin_of(const VkPhysicalDeviceProperties *properties)
{
    smoe_pipeline_cache_origin origin = {
        .vendor_id = properties->vendorID,
        .device_id = properties->deviceID,
        .driver_version = properties->driverVersion,
        .pointer_size = sizeof(void *),
    };
    memcpy(origin.uuid, properties->pipelineCacheUUID, sizeof origin.uuid);
    return origin;
}

/* FNV-1a. Every step is a bijection, so that no change of a single byte goes unseen. */
static uint64_t add_to_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_of(const cache_header *header, const void *data, size_t size)
{
    const uint64_t hash = add_to_hash(UINT64_C(0xcbf29ce484222325), header, offsetof(cache_header, hash));
    return add_to_hash(hash, (const char *)data + sizeof *header, size - sizeof *header);
}

void smoe_pipeline_cache_seal(const smoe_pipeline_cache_origin *origin, void *data, size_t size)
{
    cache_header header = {.version = VERSION, .origin = *origin, .size = size - sizeof header};
    memcpy(header.magic, magic, sizeof magic);
    header.hash = hash_of(&header, data, size);
    memcpy(data, &header, sizeof header);
}

const char *smoe_pipeline_cache_fault(const smoe_pipeline_cache_origin *origin, const void *data, size_t size)
{
    cache_header header;
    if (size < sizeof header)
        return "cut short";
    memcpy(&header, data, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0 || header.version != VERSION)
        return "not of this version of smoe";
    if (header.size != size - sizeof header || header.hash != hash_of(&header, data, size))
        return "cut short or changed since it was made";
    return memcmp(&header.origin, origin, sizeof *origin) == 0 ? NULL : "of another device or driver";
}
