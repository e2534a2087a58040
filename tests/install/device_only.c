/* Somebody's program that calls the helper library and nothing of libsmoe, which the helper library itself must
 * find. */
#include <smoe/device.h>

#include <stdio.h>

int main(void)
{
    uint32_t count = 0;
    const smoe_result listed = smoe_device_list(NULL, NULL, &count, NULL);
    printf("%u devices\n", (unsigned)count);
    return listed == SMOE_SUCCESS ? 0 : 1;
}
