/* The format of files that each type is made for. */
#include "../../bench/bench.h"
#include "common/cmocka_all.h"

/* Whole blocks of every type, and so many that what a matrix has once hardly counts. */
enum { ROWS = 128, COLUMNS = 1 << 15 };

/* A type holds all bits of its format, and not twice as many. */
static void test_every_type(void **state)
{
    (void)state;
    for (int i = 0; i < BENCH_TYPE_COUNT; i++) {
        const smoe_type type = (smoe_type)i;
        const bench_file_format format = bench_file_format_of(type);
        const double bits = 8 * (double)smoe_weights_size(type, 1, ROWS, COLUMNS) / ((double)ROWS * COLUMNS);
        if (!format.name)
            fail_msg("%s has no format", smoe_type_name(type));
        if (!(format.bits <= bits && 2 * format.bits > bits))
            fail_msg("%s: %g bits in files, %g in memory", smoe_type_name(type), format.bits, bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_type)};
    return cmocka_run_group_tests_name("formats of files", tests, NULL, NULL);
}
