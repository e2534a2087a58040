/* Somebody's program on the installed package: includes every header and calls every library. test_install.py builds
 * it. */
#include <smoe/capability_file.h>
#include <smoe/checkpoint.h>
#include <smoe/device.h>
#include <smoe/layer_file.h>
#include <smoe/smoe.h>

#include <stdio.h>

int main(void)
{
    uint32_t count = 0;
    const smoe_result listed = smoe_device_list(NULL, NULL, &count, NULL);
    smoe_layer_file *file = NULL;
    const smoe_result opened = smoe_layer_file_open("no such file", NULL, NULL, &file);
    smoe_device_info info;
    const smoe_result read = smoe_capability_file_read("no such file", NULL, NULL, &info);
    printf("smoe %d.%d.%d: %u devices (%s), %s\n", SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH,
           (unsigned)count, smoe_result_text(listed), smoe_result_text(opened));
    return listed == SMOE_SUCCESS && opened == SMOE_ERROR_FILE && !file && read == SMOE_ERROR_FILE ? 0 : 1;
}
