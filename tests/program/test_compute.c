/* What programs share for compute shaders of their own, where something fails between its calls. What it computes is
 * tested by programs. */
#include "program/compute.h"

#include "common/cmocka_all.h"
#include "common/fixture.h"

/* A command buffer that a failure has left recording begins anew: validation says nothing. */
static void test_begins_anew(void **state)
{
    test_device *device = *state;
    compute c;
    assert_true(compute_create(&c, device->device));
    for (int i = 0; i < 3; i++)
        assert_true(compute_begin(&c));
    assert_true(compute_submit(&c));
    assert_true(compute_begin(&c));
    assert_true(compute_submit(&c));
    compute_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_begins_anew, test_device_check),
                                       cmocka_unit_test(test_device_closes)};
    return cmocka_run_group_tests_name("compute", tests, test_device_setup, test_device_teardown);
}
