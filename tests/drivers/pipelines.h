/* A Vulkan between the library and the driver that looks at every compute pipeline the library makes: those that were
 * not seen before are compiled, with the driver's statistics, and written to stdout; the library gets a stand-in, since
 * nothing will ever run. */
#ifndef DRIVERS_PIPELINES_H
#define DRIVERS_PIPELINES_H

#include <stdbool.h>

#include <smoe/smoe.h>

/* Opens the Vulkan loader. known: a file of keys, one to a line, of pipelines that need no compiling; or NULL. Prints
 * what is wrong. */
bool pipelines_open(const char *known);

/* The loader's vkGetInstanceProcAddr, with the functions that make pipelines replaced. */
PFN_vkVoidFunction VKAPI_CALL pipelines_get_instance_proc_addr(VkInstance instance, const char *name);

/* From here on only the tiled kernels are looked at, with the tile of tile_parse's text in place of theirs. false: no
 * tile. */
bool pipelines_set_tile(const char *text);

/* Which shape the next pipelines are of, for the output. Static memory. */
void pipelines_name_shape(const char *shape);

#endif
