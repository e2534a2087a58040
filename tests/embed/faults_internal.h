/* What the files of the failing Vulkan share. */
#ifndef EMBED_FAULTS_INTERNAL_H
#define EMBED_FAULTS_INTERNAL_H

#include "faults.h"
#include "vulkan/cooperative_matrix.h"

#define FAULTS_MAX_OBJECTS 4096u
#define FAULTS_POISON                                                                                                  \
    ((uintptr_t)0xbad0bad0u) /* left in a failing call's output, which the specification leaves undefined */

typedef struct faults_object {
    const char *kind;
    void *handle;
    bool incoherent; /* memory whose mapping is a copy */
    void *shadow, *mapped;
    size_t size;
} faults_object;

typedef struct faults_state {
    PFN_vkGetInstanceProcAddr real_get_instance_proc_addr;
    PFN_vkCreateDebugUtilsMessengerEXT real_create_messenger;
    PFN_vkDestroyDebugUtilsMessengerEXT real_destroy_messenger;
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR real_get_matrices;
    faults_memory memory;
    VkDeviceSize allocation_limit;
    uint32_t type_count, refused_types; /* memory types as reported; bits of those that are full */
    uint32_t calls, fail_at;
    uint32_t submissions, lose_at;
    bool lost, no_timestamps;
    VkResult result;
    const char *failed_call;
    faults_object objects[FAULTS_MAX_OBJECTS];
    uint32_t object_count;
    bool misuse;
} faults_state;

extern faults_state faults;

/* A function of the real Vulkan. The loader's own entries serve every instance and device alike. */
#define REAL(name) ((PFN_##name)(void (*)(void))faults_real_function(#name))
PFN_vkVoidFunction faults_real_function(const char *name);

/* Counts a call that can fail; whether this one does. */
bool faults_fails(const char *call);

/* Accounts. faults_born gives back `result`; faults_dies says whether the real destroy may be called. */
VkResult faults_born(VkResult result, const char *kind, void *handle);
bool faults_dies(const char *kind, const void *handle);
faults_object *faults_find(const char *kind, const void *handle);

/* The replacement of a function, NULL if this file has none. */
PFN_vkVoidFunction faults_wrapped_object(const char *name);
PFN_vkVoidFunction faults_wrapped_memory(const char *name);
PFN_vkVoidFunction faults_wrapped_pipeline(const char *name);

typedef struct faults_function {
    const char *name;
    PFN_vkVoidFunction function;
} faults_function;

PFN_vkVoidFunction faults_lookup(const faults_function *functions, size_t count, const char *name);

#endif
