/* Pipeline-cache data of any bytes, kept ones that were cut or changed too, on a device that is not there. The driver
 * sees its own data as it has given them, and nothing of what was cut or changed. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "unit/fake_device.h"

enum { HEAD_SIZE = 4, MOST = 1 << 14 };

/* The driver: the data that it gives, and those that it was given. */
static struct {
    const uint8_t *own;
    size_t own_size, seen_size;
    uint8_t seen[2 * MOST];
} driver;

static VKAPI_ATTR VkResult VKAPI_CALL create_cache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                                   const VkAllocationCallbacks *callbacks, VkPipelineCache *out)
{
    (void)device, (void)callbacks;
    FUZZ_EXPECT(info->initialDataSize <= sizeof driver.seen && (info->pInitialData || info->initialDataSize == 0));
    driver.seen_size = info->initialDataSize;
    if (driver.seen_size > 0)
        memcpy(driver.seen, info->pInitialData, driver.seen_size);
    *out = (VkPipelineCache)(uintptr_t)1;
    return VK_SUCCESS;
}

/* No part of the data fits where not all do. */
static VKAPI_ATTR VkResult VKAPI_CALL get_cache_data(VkDevice device, VkPipelineCache cache, size_t *size, void *data)
{
    (void)device, (void)cache;
    const bool fits = !data || *size >= driver.own_size;
    if (data && fits && driver.own_size > 0)
        memcpy(data, driver.own, driver.own_size);
    *size = fits ? driver.own_size : 0;
    return fits ? VK_SUCCESS : VK_INCOMPLETE;
}

static PFN_vkVoidFunction find(VkDevice device, const char *name)
{
    if (strcmp(name, "vkCreatePipelineCache") == 0)
        return (PFN_vkVoidFunction)create_cache;
    if (strcmp(name, "vkGetPipelineCacheData") == 0)
        return (PFN_vkVoidFunction)get_cache_data;
    return ((PFN_vkGetDeviceProcAddr)fake_get_instance_proc_addr(fake_instance(), "vkGetDeviceProcAddr"))(device, name);
}

/* A context asks for hundreds of functions, by the same literals each time: what was found is remembered by their
 * addresses. */
static PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device, const char *name)
{
    enum { PLACES = 4096 };
    static struct {
        const char *name;
        PFN_vkVoidFunction function;
    } known[PLACES];
    size_t at = (uintptr_t)name % PLACES;
    for (size_t tries = 0; known[at].name && known[at].name != name; tries++) {
        FUZZ_EXPECT(tries < PLACES);
        at = (at + 1) % PLACES;
    }
    if (!known[at].name) {
        known[at].name = name;
        known[at].function = find(device, name);
    }
    return known[at].function;
}

static PFN_vkVoidFunction VKAPI_CALL get_instance_proc_addr(VkInstance instance, const char *name)
{
    return strcmp(name, "vkGetDeviceProcAddr") == 0 ? (PFN_vkVoidFunction)get_device_proc_addr
                                                    : fake_get_instance_proc_addr(instance, name);
}

/* In memory of its own size, so that the address sanitizer sees what lies beyond. */
static smoe_context *create(const uint8_t *cache, size_t size)
{
    static fuzz_lines lines; /* the context logs later, too */
    smoe_context_desc desc = fake_context_desc();
    const smoe_log log = fuzz_log(&lines);
    smoe_context *context;
    uint8_t *copy = malloc(size ? size : 1);
    FUZZ_EXPECT(copy);
    if (size > 0)
        memcpy(copy, cache, size);
    desc.get_instance_proc_addr = get_instance_proc_addr;
    desc.pipeline_cache = copy;
    desc.pipeline_cache_size = size;
    desc.log = &log;
    driver.seen_size = 0;
    FUZZ_EXPECT(smoe_context_create(&desc, &context) == SMOE_SUCCESS && lines.errors == 0);
    free(copy);
    return context;
}

/* With room for a byte less nothing is written. */
static void expect_no_room(const smoe_context *context, size_t needed)
{
    static const uint8_t pattern = 0xa5;
    size_t size = needed - 1;
    uint8_t *data = malloc(needed);
    FUZZ_EXPECT(data);
    memset(data, pattern, needed);
    FUZZ_EXPECT(smoe_context_pipeline_cache(context, &size, data) == SMOE_ERROR_INVALID_ARGUMENT && size == needed);
    for (size_t i = 0; i < needed; i += needed / 8 + 1)
        FUZZ_EXPECT(data[i] == pattern);
    free(data);
}

/* What the app keeps of the driver's data, to be freed. */
static uint8_t *keep(size_t *size)
{
    smoe_context *context = create(NULL, 0);
    FUZZ_EXPECT(driver.seen_size == 0);
    FUZZ_EXPECT(smoe_context_pipeline_cache(context, size, NULL) == SMOE_SUCCESS && *size > driver.own_size);
    uint8_t *kept = malloc(*size);
    FUZZ_EXPECT(kept && smoe_context_pipeline_cache(context, size, kept) == SMOE_SUCCESS);
    expect_no_room(context, *size);
    smoe_context_destroy(context);
    return kept;
}

static bool sees_its_own(void)
{
    return driver.seen_size == driver.own_size && memcmp(driver.seen, driver.own, driver.own_size) == 0;
}

/* A fuzzer may come upon a right header: then the driver sees what is behind it. */
static bool sees_an_end(void)
{
    return driver.seen_size == 0 ||
           (driver.seen_size < driver.own_size &&
            memcmp(driver.seen, driver.own + driver.own_size - driver.seen_size, driver.seen_size) == 0);
}

/* head: what becomes of the data; where, and with what, they are changed. */
bool fuzz_pipeline_cache(const uint8_t *data, size_t size)
{
    enum { AS_THEY_ARE, KEPT, CHANGED, CUT, WAYS };
    if (size < HEAD_SIZE || size > MOST)
        return false;
    const uint8_t *head = data;
    const int way = head[0] % WAYS;
    fake_reset();
    driver.own = data + HEAD_SIZE;
    driver.own_size = size - HEAD_SIZE;
    if (way == AS_THEY_ARE) {
        smoe_context_destroy(create(driver.own, driver.own_size));
        FUZZ_EXPECT(sees_an_end());
        return false;
    }
    size_t kept_size;
    uint8_t *kept = keep(&kept_size);
    const size_t at = (head[1] + 256u * head[2]) % kept_size;
    kept[at] ^= way == CHANGED ? head[3] : 0;
    smoe_context_destroy(create(kept, way == CUT ? at : kept_size));
    const bool changed = way == CUT || (way == CHANGED && head[3] != 0);
    FUZZ_EXPECT(changed ? driver.seen_size == 0 : sees_its_own());
    free(kept);
    return true;
}
