#include "refusal.h"

#include "common/cmocka_all.h"

void expect_refusal(test_record *record, smoe_result result, smoe_result expected, const char *name, const char *file,
                    int line)
{
    const bool named = !name || test_record_has_problem(record, name);

    if (result != expected || !named) {
        test_record_print(record);
        print_error("%s:%d: got \"%s\", want \"%s\"%s%s\n", file, line, smoe_result_text(result),
                    smoe_result_text(expected), named ? "" : ", and a log line that names ", named ? "" : name);
        test_record_clear(record);
        _fail(file, line);
    }
    test_record_clear(record);
}

smoe_context_desc plain_context_desc(const smoe_device *device, const smoe_log *log)
{
    smoe_device_handles handles;

    assert_int_equal(smoe_device_get_handles(device, &handles), SMOE_SUCCESS);
    return (smoe_context_desc){
        .get_instance_proc_addr = handles.get_instance_proc_addr,
        .instance = handles.instance,
        .physical_device = handles.physical_device,
        .device = handles.device,
        .api_version = VK_API_VERSION_1_1,
        .log = log,
    };
}

smoe_plan_desc plain_plan_desc(void)
{
    return (smoe_plan_desc){
        .d_model = 8,
        .d_hidden = 12,
        .expert_count = 6,
        .top_k = 2,
        .max_active = 4,
        .max_tokens = 5,
        .activation = SMOE_ACTIVATION_RELU,
        .gated = true,
        .renormalize = true,
    };
}
