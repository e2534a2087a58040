#include "layer_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/random.h"

void session_expect(const layer_session *session, bool good, const char *what)
{
    if (good)
        return;
    case_print(&session->data);
    fail_msg("%s", what);
}

void session_prepare(layer_session *session, smoe_device *device, const layer_case *shape)
{
    *session = (layer_session){.device = device};
    assert_true(case_data_create(&session->data, shape, test_seed()));
}

static void give_routing(const layer_session *session, uint32_t first, uint32_t step, uint32_t count)
{
    const smoe_result result = case_give_routing(&session->data, session->layer, first, step, count);

    session_expect(session, result == SMOE_SUCCESS, smoe_result_text(result));
}

void session_create_layer(layer_session *session)
{
    const smoe_result result =
        smoe_device_layer_create(session->device, &session->data.plan, &session->data.weights, &session->layer);

    session_expect(session, result == SMOE_SUCCESS, smoe_result_text(result));
    give_routing(session, 0, 1, session->data.shape->tokens);
}

void session_open(layer_session *session, smoe_device *device, const layer_case *shape)
{
    session_prepare(session, device, shape);
    session_create_layer(session);
}

void session_close(layer_session *session)
{
    smoe_device_layer_destroy(session->layer);
    case_data_destroy(&session->data);
}

void session_run(const layer_session *session, const smoe_forward_params *params, uint32_t token_count, const float *x,
                 float *y, uint32_t *report)
{
    smoe_forward_params call = params ? *params : session->data.params;

    call.token_count = token_count;
    const smoe_result result =
        smoe_device_layer_forward(session->layer, &call, x ? x : session->data.x, y, report, NULL);
    session_expect(session, result == SMOE_SUCCESS, smoe_result_text(result));
}

float *session_rows(const layer_session *session, uint32_t token_count)
{
    const size_t size = (size_t)token_count * session->data.plan.d_model * sizeof(float);
    float *rows = malloc(size);

    assert_non_null(rows);
    memset(rows, 0xa5, size);
    return rows;
}

uint32_t session_stride(const layer_session *session)
{
    return SMOE_REPORT_STRIDE(smoe_plan_get_desc(smoe_device_layer_plan(session->layer))->max_active);
}

uint32_t *session_report(const layer_session *session, uint32_t token_count)
{
    const size_t size = (size_t)token_count * session_stride(session) * sizeof(uint32_t);
    uint32_t *report = malloc(size);

    assert_non_null(report);
    memset(report, 0xa5, size);
    return report;
}

bool session_same_kernels(const layer_session *session, uint32_t token_count, const smoe_plan_desc *other,
                          uint32_t other_count)
{
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(session->device));
    const smoe_plan_desc *desc = smoe_plan_get_desc(smoe_device_layer_plan(session->layer));
    smoe_kernel_choice one[SMOE_STAGE_COUNT], two[SMOE_STAGE_COUNT];
    bool same = true;

    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, desc, token_count, 0}, one, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, other ? other : desc, other_count, 0}, two, NULL),
                     SMOE_SUCCESS);
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        same = same && strcmp(one[stage].name, two[stage].name) == 0 &&
               one[stage].workgroup_size == two[stage].workgroup_size &&
               one[stage].subgroup_size == two[stage].subgroup_size && one[stage].tile_rows == two[stage].tile_rows &&
               one[stage].tile_columns == two[stage].tile_columns && one[stage].tile_depth == two[stage].tile_depth;
    return same;
}

void session_compare_part(const layer_session *session, uint32_t first, uint32_t step, uint32_t count,
                          const float *whole)
{
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model;
    float *x = session_rows(session, count), *y = session_rows(session, count);

    for (uint32_t i = 0; i < count; i++)
        memcpy(x + (size_t)i * D, session->data.x + (size_t)((first + i * step) % T) * D, D * sizeof *x);
    give_routing(session, first, step, count);
    session_run(session, NULL, count, x, y, NULL);
    give_routing(session, 0, 1, T);
    for (uint32_t i = 0; i < count; i++)
        session_expect(session,
                       test_compare_bits("y", D, y + (size_t)i * D, whole + (size_t)((first + i * step) % T) * D) == 0,
                       "a token's bits depend on its batch");
    free(x);
    free(y);
}
