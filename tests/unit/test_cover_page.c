/* What the case table shows, as a page that is kept: a row that takes something with it when it goes is missed by name.
 * The test writes the page anew beside the build and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/device_files.h"
#include "cover_table.h"

#define PAGE "tests/check/COVER.md"

/* "expert_up_broadcast 1 2 4; sort 8": the kernels that one property or device has, those that differ in rows only
 * together. */
static void write_kernels(FILE *out, const case_cover *cover, const bool *has)
{
    const char *separator = " ";

    for (uint32_t k = 0; k < cover->kernel_count; k++) {
        bool again = false;
        for (uint32_t i = 0; i < k; i++)
            again = again || (has[i] && strcmp(cover->kernels[i].name, cover->kernels[k].name) == 0);
        if (!has[k] || again)
            continue;
        fprintf(out, "%s%s", separator, cover->kernels[k].name);
        separator = "; ";
        for (uint32_t i = k; i < cover->kernel_count; i++)
            if (has[i] && strcmp(cover->kernels[i].name, cover->kernels[k].name) == 0 && cover->kernels[i].rows)
                fprintf(out, " %u", cover->kernels[i].rows);
    }
    fprintf(out, "\n");
}

static int by_name_and_rows(const void *a, const void *b)
{
    const case_kernel *one = a, *two = b;
    const int names = strcmp(one->name, two->name);

    return names ? names : (int)one->rows - (int)two->rows;
}

static void write_page(FILE *out, const case_cover *cover, const cover_seen *all)
{
    fprintf(out, "# What the case table shows\n\n"
                 "Written by tests/unit/test_cover_page.c from tests/check/case_table.c, with lavapipe's kernels. "
                 "Numbers are `tile_rows`\n"
                 "of a kernel: the rows of its tiles, or what it has in their place. The test fails where the table "
                 "shows less or more,\n"
                 "names what is lost, and says how to accept that.\n\n"
                 "## Kernels with subgroups, by their lanes\n\n");
    for (uint32_t device = 0; device < cover->wish.device_count; device++) {
        fprintf(out, "- %u lanes:", cover->wish.devices[device].subgroup_size);
        write_kernels(out, cover, all->device[device]);
    }
    fprintf(out, "\n## Kernels by the property of a case that they read\n\n");
    for (uint32_t p = 0; p < case_property_count; p++) {
        fprintf(out, "- %s:", case_properties[p].name);
        write_kernels(out, cover, all->property[p]);
    }
}

/* What a line of the page says of a property, or of lanes: the place in `all`. NULL: there is no such property. */
static const bool *find_line(const case_cover *cover, const cover_seen *all, const char *name)
{
    char lanes[32];

    for (uint32_t p = 0; p < case_property_count; p++)
        if (strcmp(case_properties[p].name, name) == 0)
            return all->property[p];
    for (uint32_t device = 0; device < cover->wish.device_count; device++) {
        snprintf(lanes, sizeof lanes, "%u lanes", cover->wish.devices[device].subgroup_size);
        if (strcmp(lanes, name) == 0)
            return all->device[device];
    }
    return NULL;
}

static uint32_t expect_kernel(const case_cover *cover, const bool *has, const char *line, const char *kernel,
                              uint32_t rows)
{
    const uint32_t at = cover_find_kernel(cover, kernel, rows);

    if (has && at < cover->kernel_count && has[at])
        return 0;
    fprintf(stderr, "    no row of the table shows any longer: \"%s\" with %s %u\n", line, kernel, rows);
    return 1;
}

/* Names what a kept line has and the table has not: "- NAME: KERNEL ROWS ROWS; KERNEL". The line is spoilt. */
static uint32_t name_lost(const case_cover *cover, const cover_seen *all, char *line)
{
    char *const colon = strstr(line, ": ");
    uint32_t lost = 0;

    if (strncmp(line, "- ", 2) != 0 || !colon)
        return 0;
    *colon = '\0';
    const bool *has = find_line(cover, all, line + 2);
    for (char *kernel = colon + 2, *next; kernel; kernel = next) {
        next = strstr(kernel, "; ");
        if (next) {
            *next = '\0';
            next += 2;
        }
        char *rows = kernel + strcspn(kernel, "0123456789");
        const bool has_rows = *rows != '\0';
        if (has_rows)
            rows[-1] = '\0';
        else
            lost += expect_kernel(cover, has, line + 2, kernel, 0);
        while (*rows)
            lost += expect_kernel(cover, has, line + 2, kernel, (uint32_t)strtoul(rows, &rows, 10));
    }
    return lost;
}

static uint32_t name_all_lost(const case_cover *cover, const cover_seen *all, char *page)
{
    uint32_t lost = 0;

    for (char *line = page, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        lost += name_lost(cover, all, line);
    }
    return lost;
}

static void write_file(const char *path, const case_cover *cover, const cover_seen *all)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    write_page(out, cover, all);
    assert_int_equal(ferror(out), 0);
    assert_int_equal(fclose(out), 0);
}

static void test_page(void **state)
{
    const char *build = getenv("SMOE_BUILD");
    case_cover cover = cover_create(cover_table_wish());
    char path[512];
    size_t kept_size, size;
    (void)state;

    /* nothing else is asked of this cover */
    qsort(cover.kernels, cover.kernel_count, sizeof cover.kernels[0], by_name_and_rows);
    cover_seen *all = cover_see(&cover, false);
    snprintf(path, sizeof path, "%s/tests/COVER.md", build ? build : "build");
    write_file(path, &cover, all);
    char *text = device_files_text(path, &size), *kept = device_files_text(PAGE, &kept_size);
    const bool same = size == kept_size && memcmp(text, kept, size) == 0;
    const uint32_t lost = name_all_lost(&cover, all, kept);
    if (lost > 0)
        fail_msg("%s: %u pairs are lost; if they are not worth keeping, cp %s %s", PAGE, lost, path, PAGE);
    if (!same)
        fail_msg("%s is no longer what the table shows: diff %s %s, and if that is meant, cp %s %s", PAGE, PAGE, path,
                 path, PAGE);
    free(text);
    free(kept);
    test_free(all);
    case_cover_destroy(&cover);
}

/* A table without one of its rows: the page names what it takes with it. */
static void test_page_names_lost(void **state)
{
    layer_case *fewer = test_malloc(layer_case_count * sizeof *fewer);
    cover_wish wish = cover_table_wish();
    size_t size;
    (void)state;

    wish.case_count = 0;
    for (uint32_t i = 0; i < layer_case_count; i++)
        if (strcmp(layer_cases[i].name, "cosine, zero vectors") != 0)
            fewer[wish.case_count++] = layer_cases[i];
    assert_int_equal(wish.case_count, layer_case_count - 1);
    wish.cases = fewer;
    case_cover cover = cover_create(wish);
    cover_seen *all = cover_see(&cover, false);
    char *kept = device_files_text(PAGE, &size);
    print_message("without one of its rows:\n");
    assert_true(name_all_lost(&cover, all, kept) > 0);
    free(kept);
    test_free(all);
    test_free(fewer);
    case_cover_destroy(&cover);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page), cmocka_unit_test(test_page_names_lost)};

    return cmocka_run_group_tests_name("page of the case table", tests, NULL, NULL);
}
