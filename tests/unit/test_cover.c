/* The cover of the case table: what tests/check runs shows what the whole table would, and nothing of it could be left
 * out. And the page of what the table shows, which is kept: a row that takes something with it when it goes is missed
 * by name. */
#include <string.h>

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

/* Whether some property holds for case number `own` and for no other: without one, no case is run for its sake. */
static bool has_own_property(const layer_case *cases, uint32_t count, uint32_t own)
{
    for (uint32_t p = 0; p < case_property_count; p++) {
        uint32_t held = 0;
        for (uint32_t i = 0; i < count; i++)
            held += case_properties[p].holds(&cases[i]);
        if (held == 1 && case_properties[p].holds(&cases[own]))
            return true;
    }
    return false;
}

#define MOST_NAMED 64
#define PLAIN {.tokens = 9, .d_model = 16, .d_hidden = 24, .expert_count = 4, .top_k = 1}

/* Every activation, gated and not, and every gate and type has a property of its own: all that have a name. */
static void test_names_have_properties(void **state)
{
    layer_case activations[MOST_NAMED], gates[MOST_NAMED], types[MOST_NAMED];
    uint32_t activation_count = 0, gate_count = 0, type_count = 0;
    (void)state;
    for (int i = 0; smoe_activation_name((smoe_activation)i); i++)
        for (int gated = i == SMOE_ACTIVATION_SWIGLU_CLAMPED; gated < 2; gated++) {
            layer_case *added = &activations[activation_count++];
            *added = (layer_case)PLAIN;
            added->activation = (smoe_activation)i;
            added->gated = gated;
        }
    for (; smoe_gate_name((smoe_gate)gate_count); gate_count++) {
        gates[gate_count] = (layer_case)PLAIN;
        gates[gate_count].gate = (smoe_gate)gate_count;
    }
    for (; smoe_type_name((smoe_type)type_count); type_count++) {
        types[type_count] = (layer_case)PLAIN;
        types[type_count].weight_type = (smoe_type)type_count;
    }
    for (uint32_t i = 0; i < activation_count; i++)
        if (!has_own_property(activations, activation_count, i))
            fail_msg("case_properties.c has no property of activation %s, gated %d",
                     smoe_activation_name(activations[i].activation), activations[i].gated);
    for (uint32_t i = 0; i < gate_count; i++)
        if (!has_own_property(gates, gate_count, i))
            fail_msg("case_properties.c has no property of gate %s", smoe_gate_name(gates[i].gate));
    for (uint32_t i = 0; i < type_count; i++)
        if (!has_own_property(types, type_count, i))
            fail_msg("case_properties.c has no property of weights of %s", smoe_type_name(types[i].weight_type));
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
    assert_true(at == 1 && found[0].subgroup_size == 4 && found[1].subgroup_size == 8 &&
                found[2].subgroup_size_min == 16);
    info.subgroup_size = info.subgroup_size_min = info.subgroup_size_max = 32;
    assert_int_equal(case_devices(&info, found, &at), 1);
}

static void move(bool *from, bool *to)
{
    const bool seen = *from;

    *from = false;
    *to = *to || seen;
}

/* Counts a kernel's tiles as its first tile where any of them is enough. */
static void forget_rows(const case_cover *cover, cover_seen *seen)
{
    for (uint32_t k = 0; k < cover->kernel_count; k++) {
        const uint32_t first = cover_find_name(cover, cover->kernels[k].name);
        for (uint32_t p = 0; p < case_property_count; p++)
            if (cover->kernels[k].again || !case_properties[p].by_rows)
                move(&seen->property[p][k], &seen->property[p][first]);
        for (uint32_t device = 0; device < cover->wish.device_count && cover->kernels[k].again; device++)
            move(&seen->device[device][k], &seen->device[device][first]);
    }
}

/* The chosen rows run pipelines with so many lanes: what these cost to compile. */
static uint32_t cost_of(const case_cover *cover, uint32_t lanes)
{
    uint32_t cost = 0;

    for (uint32_t i = 0; i < cover->pipelines.count; i++) {
        const case_pipeline *pipeline = &cover->pipelines.list[i];
        cost += pipeline->lanes == lanes && pipeline->users > 0 ? pipeline->cost : 0;
    }
    return cost;
}

static void test_shows_all(void **state)
{
    case_cover cover = cover_create(cover_table_wish());
    cover_seen *all = cover_see(&cover, false), *chosen = cover_see(&cover, true);
    (void)state;
    forget_rows(&cover, all);
    forget_rows(&cover, chosen);
    assert_memory_equal(chosen, all, sizeof *all);
    for (uint32_t i = 0; i < cover.set_count; i++)
        assert_false(case_cover_gains(&cover, &cover.sets[i]));
    for (uint32_t device = 0; device < cover.wish.device_count; device++) {
        const uint32_t lanes = cover.wish.devices[device].subgroup_size;
        uint32_t rows = 0;
        for (uint32_t row = 0; row < layer_case_count; row++)
            rows += case_cover_has(&cover, device, row);
        print_message("%u lanes: %u of %u rows, compiling costs %u (case_pipelines.c)\n", lanes, rows, layer_case_count,
                      cost_of(&cover, lanes));
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

/* What the known device shows is left to another test. It has the same route_group, so nothing is left to do with that
 * kernel. It chooses route_select_rank for many experts only, so the properties of cases with few experts are left to
 * do with that one. */
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
    const uint32_t group = cover_find_kernel(&cover, "route_group", 4),
                   rank = cover_find_kernel(&cover, "route_select_rank", 0);
    const uint32_t vector = cover_find_kernel(&cover, "expert_up_vector_basic", 1);
    assert_true(group < cover.known_count && rank < cover.known_count && vector >= cover.known_count &&
                vector < cover.kernel_count);
    assert_int_equal(properties_with(&cover, group), 0);
    assert_true(properties_with(&cover, rank) > 10 && properties_with(&cover, vector) > 10);
    case_cover_destroy(&cover);
}

/* Two rows that run the same kernels, in that order. */
static cover_wish wish_of_two(const layer_case cases[2])
{
    cover_wish wish = cover_table_wish();

    wish.cases = cases;
    wish.case_count = 2;
    wish.device_count = 1;
    wish.kinds = COVER_KERNEL_DEVICES;
    return wish;
}

/* Where several rows show the same, the row whose pipelines another test makes is chosen. */
static void test_made(void **state)
{
    layer_case cases[2] = {layer_cases[0], layer_cases[0]};
    (void)state;
    cases[0].weight_type = SMOE_TYPE_FLOAT32;
    cases[1].weight_type = SMOE_TYPE_FLOAT16;
    for (uint32_t i = 0; i < 2; i++) {
        cover_wish wish = wish_of_two(cases), first = wish;
        first.cases = &cases[i];
        first.case_count = 1;
        case_cover made = cover_create(first);
        wish.made = &made;
        case_cover cover = cover_create(wish);
        assert_true(case_cover_has(&cover, 0, i));
        assert_false(case_cover_has(&cover, 0, 1 - i));
        case_cover_destroy(&cover);
        case_cover_destroy(&made);
    }
}

/* A made-up set with a pipeline of its own. */
static void put_set(case_cover *cover, uint32_t at, uint32_t cost, const uint32_t *pairs, uint32_t pair_count)
{
    uint32_t *own = test_calloc(pair_count, sizeof *own);

    memcpy(own, pairs, pair_count * sizeof *own);
    cover->sets[at] =
        (cover_set){.row = at, .pipelines = {at}, .pipeline_count = 1, .pairs = own, .pair_count = pair_count};
    cover->pipelines.list[at] = (case_pipeline){.cost = cost};
}

/* The first three sets each show more for their cost than the last one does by then. Together they cost more, and none
 * of them can be left out until the last one is there. */
static void test_exchanges(void **state)
{
    static const uint32_t all[] = {0, 1, 2, 3};
    case_pipeline pipelines[4];
    cover_set sets[4];
    uint32_t times[4] = {0};
    case_cover cover = {
        .sets = sets, .set_count = 4, .pipelines = {.list = pipelines, .count = 4}, .times = times, .pair_count = 4};
    (void)state;
    put_set(&cover, 0, 1, &all[0], 2);
    put_set(&cover, 1, 2, &all[2], 1);
    put_set(&cover, 2, 5, &all[3], 1);
    put_set(&cover, 3, 6, all, 4);
    case_cover_choose(&cover);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(sets[i].chosen, i == 3);
        assert_int_equal(times[i], 1);
        test_free(sets[i].pairs);
    }
}

/* Rows of the same classes count as what they are to the driver: the same pipelines. */
static void test_shares_pipelines(void **state)
{
    layer_case cases[2] = {layer_cases[0], layer_cases[0]};
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        cases[i].d_model = 64u << i;
        cases[i].d_hidden = 128 >> i;
    }
    case_cover same = cover_create(wish_of_two(cases));
    cases[1].d_model = 65;
    case_cover other = cover_create(wish_of_two(cases));
    assert_true(same.set_count == 2 && other.set_count == 2);
    assert_int_equal(same.pipelines.count, same.sets[0].pipeline_count);
    assert_true(other.pipelines.count > other.sets[0].pipeline_count);
    case_cover_destroy(&same);
    case_cover_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties), cmocka_unit_test(test_names_have_properties), cmocka_unit_test(test_devices),
        cmocka_unit_test(test_shows_all), cmocka_unit_test(test_needs_all), cmocka_unit_test(test_same_twice),
        cmocka_unit_test(test_known), cmocka_unit_test(test_made), cmocka_unit_test(test_shares_pipelines),
        cmocka_unit_test(test_exchanges),
    };

    return cmocka_run_group_tests_name("cover of the case table", tests, NULL, NULL);
}
