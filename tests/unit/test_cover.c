/* The cover of the case table: what tests/check runs shows what the whole table would, and nothing of it could be left out. And the page of
 * what the table shows, which is kept: a row that takes something with it when it goes is missed by name. */
#include "common/cmocka_all.h"
#include "cover_table.h"

static void test_properties(void **state)
{
    (void)state;
    for (uint32_t p = 0; p < case_property_count; p++) {
        uint32_t held = 0;
        for (uint32_t i = 0; i < layer_case_count; i++)
            held += case_properties[p].holds(&layer_cases[i]);
        if (held == 0 || held == layer_case_count)
            fail_msg("\"%s\" tells no cases apart: %u of %u have it", case_properties[p].name, held, layer_case_count);
    }
}

static void test_devices(void **state)
{
    smoe_device_info found[CASE_DEVICES_MOST], info = cover_lavapipe(false);
    uint32_t at;
    (void)state;
    assert_int_equal(case_devices(&info, found, &at), 1);
    assert_true(at == 0 && found[0].subgroup_size == 8);
    info = cover_lavapipe(true);
    assert_int_equal(case_devices(&info, found, &at), 3);
    assert_true(at == 1 && found[0].subgroup_size == 4 && found[1].subgroup_size == 8 && found[2].subgroup_size_min == 16);
    info.subgroup_size = info.subgroup_size_min = info.subgroup_size_max = 32;
    assert_int_equal(case_devices(&info, found, &at), 1);
}

static void test_shows_all(void **state)
{
    case_cover cover = cover_create(cover_table_wish());
    cover_seen *all = cover_see(&cover, false), *chosen = cover_see(&cover, true);
    (void)state;
    assert_memory_equal(chosen, all, sizeof *all);
    for (uint32_t i = 0; i < cover.set_count; i++)
        assert_false(case_cover_gains(&cover, &cover.sets[i]));
    for (uint32_t device = 0; device < cover.wish.device_count; device++) {
        uint32_t rows = 0;
        for (uint32_t row = 0; row < layer_case_count; row++)
            rows += case_cover_has(&cover, device, row);
        print_message("%u lanes: %u of %u rows\n", cover.wish.devices[device].subgroup_size, rows, layer_case_count);
    }
    test_free(all);
    test_free(chosen);
    case_cover_destroy(&cover);
}

/* Each chosen set shows something that no other chosen set shows, and some sets are left out. */
static void test_needs_all(void **state)
{
    case_cover cover = cover_create(cover_table_wish());
    uint32_t left_out = 0;
    (void)state;
    for (uint32_t i = 0; i < cover.set_count; i++) {
        if (cover.sets[i].chosen && !case_cover_needs(&cover, &cover.sets[i]))
            fail_msg("\"%s\" on device %u is not needed", layer_cases[cover.sets[i].row].name, cover.sets[i].device);
        left_out += !cover.sets[i].chosen;
    }
    assert_true(left_out > 0);
    case_cover_destroy(&cover);
}

static void test_same_twice(void **state)
{
    case_cover one = cover_create(cover_table_wish()), two = cover_create(cover_table_wish());
    (void)state;
    for (uint32_t i = 0; i < one.wish.case_count * one.wish.device_count; i++)
        assert_int_equal(case_cover_has(&one, i / layer_case_count, i % layer_case_count),
                         case_cover_has(&two, i / layer_case_count, i % layer_case_count));
    case_cover_destroy(&one);
    case_cover_destroy(&two);
}

/* How many properties the chosen rows show with a kernel, and those of them that the known device leaves to do. */
static uint32_t properties_with(const case_cover *cover, uint32_t kernel)
{
    uint32_t count = 0;

    for (uint32_t p = 0; p < case_property_count; p++) {
        const uint32_t pair = case_cover_pair(p, kernel);
        assert_true(cover->times[pair] == 0 || !cover->known[pair]);
        count += cover->times[pair] > 0;
    }
    return count;
}

/* What the known device shows is left to another test. It has the same route_group, so nothing is left to do with that kernel. It chooses
 * route_select_rank for many experts only, so the properties of cases with few experts are left to do with that one. */
static void test_known(void **state)
{
    const smoe_device_info usual = cover_lavapipe(true);
    smoe_device_info bare = usual;
    cover_wish wish = cover_table_wish();
    (void)state;
    bare.capabilities = 0;
    wish.devices = &bare;
    wish.device_count = 1;
    wish.known = &usual;
    case_cover cover = cover_create(wish);
    const uint32_t group = cover_find_kernel(&cover, "route_group", 4), rank = cover_find_kernel(&cover, "route_select_rank", 0);
    const uint32_t vector = cover_find_kernel(&cover, "expert_up_vector_basic", 1);
    assert_true(group < cover.known_count && rank < cover.known_count && vector >= cover.known_count && vector < cover.kernel_count);
    assert_int_equal(properties_with(&cover, group), 0);
    assert_true(properties_with(&cover, rank) > 10 && properties_with(&cover, vector) > 10);
    case_cover_destroy(&cover);
}

/* Where several rows show the same, the row whose pipelines another test makes is chosen. */
static void test_made(void **state)
{
    const layer_case cases[] = {layer_cases[0], layer_cases[0], layer_cases[0]};
    bool made[3] = {false};
    cover_wish wish = cover_table_wish();
    (void)state;
    wish.cases = cases;
    wish.case_count = 3;
    wish.device_count = 1;
    wish.together = false;
    wish.made = made;
    for (uint32_t i = 0; i < 3; i++) {
        made[i] = true;
        case_cover cover = cover_create(wish);
        for (uint32_t row = 0; row < 3; row++)
            assert_int_equal(case_cover_has(&cover, 0, row), row == i);
        case_cover_destroy(&cover);
        made[i] = false;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties), cmocka_unit_test(test_devices),    cmocka_unit_test(test_shows_all),
        cmocka_unit_test(test_needs_all),  cmocka_unit_test(test_same_twice), cmocka_unit_test(test_known),
        cmocka_unit_test(test_made),
    };

    return cmocka_run_group_tests_name("cover of the case table", tests, NULL, NULL);
}
