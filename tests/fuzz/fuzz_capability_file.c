/* Capability files of any bytes. What is accepted can be selected for, and is written as a file that says the same. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "smoe/capability_file.h"

static char *text_of(const smoe_device_info *info, size_t *size)
{
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    FUZZ_EXPECT(smoe_capability_file_text(info, &log, size, NULL) == SMOE_SUCCESS);
    char *text = malloc(*size);
    FUZZ_EXPECT(text && smoe_capability_file_text(info, &log, size, text) == SMOE_SUCCESS);
    return text;
}

static void expect_same_file(const smoe_device_info *info)
{
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    smoe_device_info again;
    size_t size, size_again;
    char *text = text_of(info, &size);
    FUZZ_EXPECT(smoe_capability_file_parse(text, size, "again", NULL, &log, &again) == SMOE_SUCCESS);
    char *text_again = text_of(&again, &size_again);
    FUZZ_EXPECT(size == size_again && memcmp(text, text_again, size) == 0);
    free(text);
    free(text_again);
}

static void expect_device(smoe_device_info *info)
{
    const smoe_plan_desc desc = {
        .d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 8, .max_tokens = 33};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    const smoe_result result = smoe_select_kernels(&(smoe_selection_desc){info, &desc, 33, 0}, choices, NULL);
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_UNSUPPORTED);
    FUZZ_EXPECT(info->usable == !info->reason[0]);
    FUZZ_EXPECT(smoe_text_clean(info->name, ' ') && smoe_text_clean(info->driver_name, ' '));
    FUZZ_EXPECT(smoe_text_clean(info->driver_info, ' ') && smoe_text_clean(info->reason, ' '));
}

bool fuzz_capability_file(const uint8_t *data, size_t size)
{
    static const smoe_device_info zero;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    smoe_device_info info;
    const smoe_result result = smoe_capability_file_parse((const char *)data, size, "FILE", NULL, &log, &info);
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED);
    fuzz_expect_told(&lines, result);
    if (result != SMOE_SUCCESS) {
        FUZZ_EXPECT(memcmp(&info, &zero, sizeof info) == 0);
        return false;
    }
    expect_device(&info);
    expect_same_file(&info);
    return true;
}
