/* Tables of Vulkan's functions, as lists: LIST(FUNCTION) names each function once, with its vk. What is not in the list
 * is no member, so that a call of it does not compile; what is, is there. volk's table has every function that Vulkan
 * has, and does not say which are needed: a device's lists take theirs from it. The instance's come from the app's own
 * entry, since volk loads those through a variable of the process. */
#ifndef SMOE_BASE_FUNCTIONS_H
#define SMOE_BASE_FUNCTIONS_H

#include "volk_table.h"

#define SMOE_FUNCTION_MEMBER(name) PFN_##name name;

/* In a function that has a table, and all, volk's; returns the name of the first function that is not there. */
#define SMOE_FUNCTION_TAKE(name)            \
    if (!(table->name = all.name))          \
        return #name;

/* The same with load(object, name). */
#define SMOE_FUNCTION_LOAD(name)                            \
    if (!(table->name = (PFN_##name)load(object, #name))) \
        return #name;

#endif
