#include "case_cover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of pairs: properties, then properties with kernels, properties with devices, kernels with devices. */
#define FIRST_KERNEL_PAIR CASE_PROPERTIES_MOST
#define FIRST_DEVICE_PAIR (FIRST_KERNEL_PAIR + CASE_PROPERTIES_MOST * COVER_KERNELS_MOST)
#define FIRST_KERNEL_DEVICE (FIRST_DEVICE_PAIR + CASE_PROPERTIES_MOST * CASE_DEVICES_MOST)
#define PAIRS (FIRST_KERNEL_DEVICE + COVER_KERNELS_MOST * CASE_DEVICES_MOST)

/* Pairs without repetition. */
typedef struct pair_list {
    bool seen[PAIRS];
    uint32_t pairs[PAIRS], count;
} pair_list;

uint32_t case_cover_pair(uint32_t property, uint32_t kernel)
{
    return FIRST_KERNEL_PAIR + property * COVER_KERNELS_MOST + kernel;
}

/* The first kernel with the name of this one, whatever the rows of its tiles. */
static uint32_t any_rows(const case_cover *cover, uint32_t kernel)
{
    uint32_t at = 0;

    while (strcmp(cover->kernels[at].name, cover->kernels[kernel].name) != 0)
        at++;
    return at;
}

/* The pair of a property with a kernel. Tiles of any rows show it where rows make no difference to the property, or
 * where the kernel's work is that of another one, which is seen with each of its rows. */
static uint32_t pair_of(const case_cover *cover, uint32_t property, uint32_t kernel)
{
    const bool by_rows = case_properties[property].by_rows && !cover->kernels[kernel].again;

    return case_cover_pair(property, by_rows ? kernel : any_rows(cover, kernel));
}

static bool complain(const char *what)
{
    fprintf(stderr, "    the cover of the case table: %s\n", what);
    return false;
}

/* Where the cover keeps the kernel; COVER_KERNELS_MOST where there is no place left. */
static uint32_t keep_kernel(case_cover *cover, const case_kernel *kernel)
{
    uint32_t at = 0;

    while (at < cover->kernel_count &&
           (strcmp(cover->kernels[at].name, kernel->name) != 0 || cover->kernels[at].rows != kernel->rows))
        at++;
    if (at == cover->kernel_count && at < COVER_KERNELS_MOST)
        cover->kernels[cover->kernel_count++] = *kernel;
    return at;
}

static bool find_kernels(case_cover *cover, const smoe_device_info *device, case_kernel kernels[CASE_KERNELS_MOST],
                         cover_set *set)
{
    set->kernel_count = case_kernels_find(device, &cover->wish.cases[set->row], kernels);
    for (uint32_t i = 0; i < set->kernel_count; i++)
        if ((set->kernels[i] = keep_kernel(cover, &kernels[i])) == COVER_KERNELS_MOST)
            return complain("more kernels than COVER_KERNELS_MOST");
    return set->kernel_count > 0;
}

/* Whether two cases have the same plan, however many tokens the calls have. */
static bool same_plan(const layer_case *a, const layer_case *b)
{
    layer_case other = *b;

    other.tokens = a->tokens;
    return case_plan_desc(a).max_tokens == case_plan_desc(b).max_tokens && case_plans_equal(a, &other);
}

static bool same_pipelines(const case_cover *cover, const cover_set *a, const cover_set *b)
{
    return a->device == b->device && a->kernel_count == b->kernel_count &&
           memcmp(a->kernels, b->kernels, a->kernel_count * sizeof a->kernels[0]) == 0 &&
           same_plan(&cover->wish.cases[a->row], &cover->wish.cases[b->row]);
}

static void keep_pipelines(case_cover *cover, const case_kernel *kernels, cover_set *set)
{
    const case_cover *made = cover->wish.made;
    const uint32_t lanes = cover->wish.devices[set->device].subgroup_size;

    for (uint32_t i = 0; i < set->kernel_count; i++) {
        const uint32_t index =
            case_pipelines_keep(&cover->pipelines, made ? &made->pipelines : NULL, lanes, &kernels[i]);
        uint32_t at = 0;
        while (at < set->pipeline_count && set->pipelines[at] != index)
            at++;
        if (at == set->pipeline_count)
            set->pipelines[set->pipeline_count++] = index;
    }
}

/* Puts each row on each device into a set. */
static bool make_sets(case_cover *cover)
{
    const cover_wish *wish = &cover->wish;
    case_kernel kernels[CASE_KERNELS_MOST];

    for (uint32_t i = 0; i < wish->device_count * wish->case_count; i++) {
        cover_set one = {.device = i / wish->case_count, .row = i % wish->case_count};
        uint32_t set = wish->together ? 0 : cover->set_count;
        if (!find_kernels(cover, &wish->devices[one.device], kernels, &one))
            return false;
        keep_pipelines(cover, kernels, &one);
        while (set < cover->set_count && !same_pipelines(cover, &cover->sets[set], &one))
            set++;
        if (set == cover->set_count)
            cover->sets[cover->set_count++] = one;
        cover->set_of[i] = set;
    }
    return true;
}

static bool reads(const case_cover *cover, uint32_t kernel, uint32_t property)
{
    return (cover->kernels[kernel].readers & case_properties[property].readers) != 0;
}

/* What all of the table shows on the known device. */
static bool find_known(case_cover *cover)
{
    const cover_wish *wish = &cover->wish;
    case_kernel kernels[CASE_KERNELS_MOST];

    for (uint32_t i = 0; wish->known && i < wish->case_count; i++) {
        cover_set set = {.row = i};
        if (!find_kernels(cover, wish->known, kernels, &set))
            return false;
        for (uint32_t p = 0; p < case_property_count; p++)
            for (uint32_t k = 0; case_properties[p].holds(&wish->cases[i]) && k < set.kernel_count; k++)
                cover->known[pair_of(cover, p, set.kernels[k])] = true;
    }
    cover->known_count = cover->kernel_count;
    return true;
}

static void list_pair(pair_list *list, bool wanted, uint32_t pair)
{
    if (!wanted || list->seen[pair])
        return;
    list->seen[pair] = true;
    list->pairs[list->count++] = pair;
}

static void list_property(const case_cover *cover, const cover_set *set, uint32_t property, pair_list *list)
{
    const uint32_t kinds = cover->wish.kinds;

    list_pair(list, kinds & COVER_PROPERTIES, property);
    list_pair(list, kinds & COVER_PROPERTY_DEVICES && case_properties[property].by_lanes,
              FIRST_DEVICE_PAIR + property * CASE_DEVICES_MOST + set->device);
    for (uint32_t i = 0; i < set->kernel_count; i++) {
        const uint32_t pair = pair_of(cover, property, set->kernels[i]);
        list_pair(list,
                  kinds & COVER_PROPERTY_KERNELS && reads(cover, set->kernels[i], property) && !cover->known[pair],
                  pair);
    }
}

/* A known kernel counts as one whatever the rows of its tiles, and so does one whose work is that of another. */
static uint32_t any_known_rows(const case_cover *cover, uint32_t kernel)
{
    return kernel < cover->known_count || cover->kernels[kernel].again ? any_rows(cover, kernel) : kernel;
}

static bool find_pairs(const case_cover *cover, cover_set *set, pair_list *list)
{
    const cover_wish *wish = &cover->wish;
    const uint32_t index = (uint32_t)(set - cover->sets);

    *list = (pair_list){.count = 0};
    for (uint32_t row = 0; row < wish->case_count; row++)
        for (uint32_t p = 0; cover->set_of[set->device * wish->case_count + row] == index && p < case_property_count;
             p++)
            if (case_properties[p].holds(&wish->cases[row]))
                list_property(cover, set, p, list);
    for (uint32_t i = 0; i < set->kernel_count; i++)
        list_pair(list, wish->kinds & COVER_KERNEL_DEVICES && cover->kernels[set->kernels[i]].by_lanes,
                  FIRST_KERNEL_DEVICE + any_known_rows(cover, set->kernels[i]) * CASE_DEVICES_MOST + set->device);
    set->pair_count = list->count;
    set->pairs = calloc(list->count + 1, sizeof *set->pairs);
    if (set->pairs)
        memcpy(set->pairs, list->pairs, list->count * sizeof *set->pairs);
    return set->pairs || complain("out of memory");
}

static bool find_all_pairs(case_cover *cover)
{
    pair_list *list = malloc(sizeof *list);
    bool good = list || complain("out of memory");

    for (uint32_t i = 0; good && i < cover->set_count; i++)
        good = find_pairs(cover, &cover->sets[i], list);
    free(list);
    return good;
}

cover_wish cover_wish_of_table(const smoe_device_info *info, smoe_device_info devices[CASE_DEVICES_MOST], uint32_t *at)
{
    return (cover_wish){
        .cases = layer_cases,
        .case_count = layer_case_count,
        .devices = devices,
        .device_count = case_devices(info, devices, at),
        .kinds = COVER_ALL,
        .together = true,
    };
}

bool case_cover_create(case_cover *cover, const cover_wish *wish)
{
    const uint32_t most = wish->case_count * wish->device_count;

    *cover = (case_cover){.wish = *wish, .pair_count = PAIRS};
    if (case_property_count > CASE_PROPERTIES_MOST || wish->device_count > CASE_DEVICES_MOST)
        return complain("more properties or devices than there is room for");
    cover->sets = calloc(most, sizeof *cover->sets);
    cover->set_of = calloc(most, sizeof *cover->set_of);
    cover->pipelines.list = calloc((size_t)most * CASE_KERNELS_MOST, sizeof *cover->pipelines.list);
    cover->times = calloc(PAIRS, sizeof *cover->times);
    cover->known = calloc(PAIRS, sizeof *cover->known);
    if (!cover->sets || !cover->set_of || !cover->pipelines.list || !cover->times || !cover->known)
        return complain("out of memory");
    if (!find_known(cover) || !make_sets(cover) || !find_all_pairs(cover))
        return false;
    case_cover_choose(cover);
    return true;
}

void case_cover_destroy(case_cover *cover)
{
    for (uint32_t i = 0; i < cover->set_count; i++)
        free(cover->sets[i].pairs);
    free(cover->sets);
    free(cover->set_of);
    free(cover->pipelines.list);
    free(cover->times);
    free(cover->known);
    *cover = (case_cover){.sets = NULL};
}

bool case_cover_has(const case_cover *cover, uint32_t device, uint32_t row)
{
    return cover->sets[cover->set_of[device * cover->wish.case_count + row]].chosen;
}
