#include "pipeline_store.h"

#include <stdio.h>
#include <string.h>

#include "base/system.h"

#define BUCKET_COUNT 256u /* a power of two; an app's layers have tens of pipelines in all */

typedef struct store_entry {
    struct store_entry *next; /* of its bucket */
    uint64_t hash;
    const uint32_t *spirv;
    uint32_t constants[SMOE_PIPELINE_MAX_CONSTANTS];
    uint32_t constant_count, required_subgroup_size;
    bool full_subgroups;
    bool made; /* false while one thread makes it, which takes it out again if it fails */
    VkPipeline pipeline;
} store_entry;

struct smoe_pipeline_store {
    const smoe_host *host;
    smoe_pipeline_device device;
    smoe_system_monitor *monitor; /* over all entries; waited on for one to be made, or taken out */
    store_entry *buckets[BUCKET_COUNT];
};

smoe_result smoe_pipeline_store_create(const smoe_host *host, const smoe_pipeline_device *device,
                                       smoe_pipeline_store **out)
{
    smoe_pipeline_store *store = smoe_host_alloc(host, 1, sizeof *store);
    *out = NULL;
    if (store && !(store->monitor = smoe_system_monitor_create(host))) {
        smoe_host_free(host, store);
        store = NULL;
    }
    if (!store)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "context: no host memory for its pipelines");
    store->host = host;
    store->device = *device;
    *out = store;
    return SMOE_SUCCESS;
}

void smoe_pipeline_store_destroy(smoe_pipeline_store *store)
{
    if (!store)
        return;
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        for (store_entry *entry = store->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            store->device.vk->vkDestroyPipeline(store->device.handle, entry->pipeline, NULL);
            smoe_host_free(store->host, entry);
        }
    }
    smoe_system_monitor_destroy(store->host, store->monitor);
    smoe_host_free(store->host, store);
}

static uint64_t add_to_hash(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t hash_of(const smoe_pipeline_desc *desc)
{
    uint64_t hash = add_to_hash(desc->required_subgroup_size, desc->full_subgroups);
    hash = add_to_hash(hash, (uintptr_t)desc->spirv);
    for (uint32_t i = 0; i < desc->constant_count; i++)
        hash = add_to_hash(hash, desc->constants[i]);
    return hash;
}

static bool is_of(const store_entry *entry, uint64_t hash, const smoe_pipeline_desc *desc)
{
    return entry->hash == hash && entry->spirv == desc->spirv &&
           entry->required_subgroup_size == desc->required_subgroup_size &&
           entry->full_subgroups == desc->full_subgroups && entry->constant_count == desc->constant_count &&
           memcmp(entry->constants, desc->constants, desc->constant_count * sizeof *desc->constants) == 0;
}

static store_entry **bucket_of(smoe_pipeline_store *store, uint64_t hash)
{
    return &store->buckets[hash & (BUCKET_COUNT - 1)];
}

/* Under the lock; gives it up while another thread makes the pipeline. NULL: it is not there, and nobody makes it. */
static store_entry *find_made(smoe_pipeline_store *store, uint64_t hash, const smoe_pipeline_desc *desc)
{
    for (;;) {
        store_entry *entry = *bucket_of(store, hash);
        while (entry && !is_of(entry, hash, desc))
            entry = entry->next;
        if (!entry || entry->made)
            return entry;
        smoe_system_wait(store->monitor);
    }
}

/* The entry if it is made, else NULL. `spare`, unless NULL, takes its place then, and is the caller's to make. */
static store_entry *find_or_put(smoe_pipeline_store *store, uint64_t hash, const smoe_pipeline_desc *desc,
                                store_entry *spare)
{
    smoe_system_lock(store->monitor);
    store_entry *made = find_made(store, hash, desc);
    if (!made && spare) {
        store_entry **bucket = bucket_of(store, hash);
        spare->next = *bucket;
        *bucket = spare;
    }
    smoe_system_unlock(store->monitor);
    return made;
}

static void take_out(smoe_pipeline_store *store, const store_entry *entry)
{
    store_entry **link = bucket_of(store, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
}

/* Shows the others what has become of an entry that this thread has put. */
static void settle(smoe_pipeline_store *store, store_entry *entry, bool made)
{
    smoe_system_lock(store->monitor);
    if (made)
        entry->made = true;
    else
        take_out(store, entry);
    smoe_system_wake_all(store->monitor);
    smoe_system_unlock(store->monitor);
}

static store_entry *new_entry(const smoe_host *host, uint64_t hash, const smoe_pipeline_desc *desc)
{
    store_entry *entry = smoe_host_alloc(host, 1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->hash = hash;
    entry->spirv = desc->spirv;
    entry->constant_count = desc->constant_count;
    entry->required_subgroup_size = desc->required_subgroup_size;
    entry->full_subgroups = desc->full_subgroups;
    memcpy(entry->constants, desc->constants, desc->constant_count * sizeof *desc->constants);
    return entry;
}

/* Log and allocator are the app's: they are called when the others no longer wait for this entry. */
static smoe_result make(smoe_pipeline_store *store, const smoe_pipeline_desc *desc, store_entry *entry)
{
    const char *call;
    char text[96];
    const VkResult result = smoe_pipeline_create(&store->device, desc, &entry->pipeline, &call);
    settle(store, entry, result == VK_SUCCESS);
    if (result == VK_SUCCESS)
        return SMOE_SUCCESS;
    smoe_host_free(store->host, entry);
    snprintf(text, sizeof text, "%s of %s", call, desc->name);
    return smoe_vulkan_check(store->host, result, text);
}

/* Memory for a new entry is got before the entry is promised to others, and without the lock. */
static smoe_result make_new(smoe_pipeline_store *store, uint64_t hash, const smoe_pipeline_desc *desc, VkPipeline *out)
{
    store_entry *entry = new_entry(store->host, hash, desc);
    if (!entry)
        return smoe_fail(store->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "plan: no host memory for the pipeline of %s",
                         desc->name);
    const store_entry *made = find_or_put(store, hash, desc, entry);
    if (made) { /* by another thread meanwhile */
        smoe_host_free(store->host, entry);
        *out = made->pipeline;
        return SMOE_SUCCESS;
    }
    const smoe_result result = make(store, desc, entry);
    if (result == SMOE_SUCCESS)
        *out = entry->pipeline;
    return result;
}

smoe_result smoe_pipeline_store_get(smoe_pipeline_store *store, const smoe_pipeline_desc *desc, VkPipeline *out)
{
    const uint64_t hash = hash_of(desc);
    const store_entry *made = find_or_put(store, hash, desc, NULL);
    if (!made)
        return make_new(store, hash, desc, out);
    *out = made->pipeline;
    return SMOE_SUCCESS;
}
