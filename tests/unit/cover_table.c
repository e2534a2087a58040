#include "cover_table.h"

#include <string.h>

#include "common/cmocka_all.h"
#include "devices.h"

#define LAVAPIPE_8 2 /* of devices.c */

static smoe_device_info devices[CASE_DEVICES_MOST];

smoe_device_info cover_lavapipe(bool driver_id)
{
    smoe_device_info info = test_device(LAVAPIPE_8);

    info.driver_id = driver_id ? VK_DRIVER_ID_MESA_LLVMPIPE : 0;
    return info;
}

cover_wish cover_table_wish(void)
{
    const smoe_device_info info = cover_lavapipe(true);
    uint32_t at;

    return cover_wish_of_table(&info, devices, &at);
}

case_cover cover_create(cover_wish wish)
{
    case_cover cover;

    assert_true(case_cover_create(&cover, &wish));
    return cover;
}

uint32_t cover_find_kernel(const case_cover *cover, const char *name, uint32_t rows)
{
    uint32_t at = 0;

    while (at < cover->kernel_count && (strcmp(cover->kernels[at].name, name) != 0 || cover->kernels[at].rows != rows))
        at++;
    return at;
}

uint32_t cover_find_name(const case_cover *cover, const char *name)
{
    uint32_t at = 0;

    while (at < cover->kernel_count && strcmp(cover->kernels[at].name, name) != 0)
        at++;
    return at;
}

/* What a row shows on a device, found without the cover's own lists. */
static void see(const case_cover *cover, uint32_t device, uint32_t row, cover_seen *seen)
{
    const layer_case *shape = &cover->wish.cases[row];
    case_kernel kernels[CASE_KERNELS_MOST];
    const uint32_t count = case_kernels_find(&cover->wish.devices[device], shape, kernels);

    for (uint32_t k = 0; k < count; k++) {
        const uint32_t at = cover_find_kernel(cover, kernels[k].name, kernels[k].rows);
        seen->device[device][at] = kernels[k].by_lanes;
        for (uint32_t p = 0; p < case_property_count; p++)
            if (case_properties[p].readers & kernels[k].readers && case_properties[p].holds(shape))
                seen->property[p][at] = true;
    }
    for (uint32_t p = 0; p < case_property_count; p++)
        if (case_properties[p].by_lanes && case_properties[p].holds(shape))
            seen->property_device[p][device] = true;
}

cover_seen *cover_see(const case_cover *cover, bool chosen)
{
    cover_seen *seen = test_calloc(1, sizeof *seen);

    for (uint32_t device = 0; device < cover->wish.device_count; device++)
        for (uint32_t row = 0; row < cover->wish.case_count; row++)
            if (!chosen || case_cover_has(cover, device, row))
                see(cover, device, row, seen);
    return seen;
}
