/* Loaded before everything else when tests run under sanitizers: no library is ever unloaded. The Vulkan loader unloads
 * drivers and layers, and what is found in an unloaded library has no name that a suppression could match. */
int dlclose(void *library);

__attribute__((visibility("default"))) int dlclose(void *library)
{
    (void)library;
    return 0;
}
