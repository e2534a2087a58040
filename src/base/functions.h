/* Tables of Vulkan's functions, as lists: LIST(FUNCTION) names each function once, with its vk. What is not in the list is no member, so
 * that a call of it does not compile; what is, is loaded and there.
 *
 * volk's tables have every function that Vulkan has, and none of them says which of those smoe needs. */
#ifndef SMOE_BASE_FUNCTIONS_H
#define SMOE_BASE_FUNCTIONS_H

#include <vulkan/vulkan.h>

#define SMOE_FUNCTION_MEMBER(name) PFN_##name name;

/* In a function that has a table, and load(object, name); returns the name of the first function that is not there. */
#define SMOE_FUNCTION_LOAD(name)                            \
    if (!(table->name = (PFN_##name)load(object, #name))) \
        return #name;

#endif
