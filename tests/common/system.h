/* What tests need of the system, where systems differ. */
#ifndef TEST_SYSTEM_H
#define TEST_SYSTEM_H

#include <stdbool.h>

#include <volk.h>

/* A function that the system's Vulkan loader exports, NULL if there is none. */
PFN_vkVoidFunction test_vulkan_function(const char *name);

/* Sets a variable of the environment, or with NULL takes it away. */
void test_set_variable(const char *name, const char *value);

/* A folder for files that are rewritten thousands of times: in memory where there is one. No slash at its end. */
const char *test_temporary_folder(void);

/* False where it cannot be. Paths are UTF-8, of any length; what they name is looked up in the system's own terms. */
bool test_make_folder(const char *path);
bool test_remove_folder(const char *path);
bool test_file_exists(const char *path);
bool test_remove_file(const char *path);

/* Whether tests turn the validation layers on themselves. SMOE_TEST_VALIDATION=outside says that the runner has done
 * so, where programs cannot: the runner then looks for their messages in what a test prints. */
bool test_validates(void);

/* Whether the validation layer looks into shaders for hazards, as the newest does with the drivers of tests/drivers.
 * The second says why a test with pieces is left out there: they write rows of their own of one buffer side by side,
 * and the layer judges by what their descriptors cover. */
#define TEST_LOOKS_INTO_SHADERS "VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC"
bool test_layer_looks_into_shaders(void);
bool test_pieces_look_like_hazards(void);

/* False, and a line that says why, where Vulkan's own loader does not read this process's environment: wine's stands
 * between. */
bool test_loader_reads_environment(void);

#endif
