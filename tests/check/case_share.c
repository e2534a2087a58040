#include "case_share.h"

#include "case_cover.h"
#include "common/fixture.h"

/* A case that the cover needs on no device runs on one of them all the same, in turns. */
static bool runs_on(const case_cover *cover, uint32_t device, uint32_t which)
{
    bool needed = false;

    for (uint32_t i = 0; i < cover->wish.device_count; i++)
        needed |= case_cover_has(cover, i, which);
    return needed ? case_cover_has(cover, device, which) : device == which % cover->wish.device_count;
}

bool case_share(const smoe_device_info *info, const layer_case *cases, uint32_t count, bool *runs)
{
    smoe_device_info devices[CASE_DEVICES_MOST];
    uint32_t at;
    const cover_wish table = cover_wish_of_table(info, devices, &at);
    case_cover stages, cover = {.sets = NULL};
    const bool good = case_cover_create(&stages, &table) &&
                      case_cover_create(&cover, &(cover_wish){.cases = cases, .case_count = count, .devices = devices,
                                                              .device_count = table.device_count, .made = &stages,
                                                              .kinds = COVER_PROPERTIES | COVER_KERNEL_DEVICES});

    for (uint32_t i = 0; good && i < count; i++)
        runs[i] = test_everything() || runs_on(&cover, at, i);
    case_cover_destroy(&cover);
    case_cover_destroy(&stages);
    return good;
}
