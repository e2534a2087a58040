/* src/domain/matmul.c: which regimes a range of token counts leads to, against what every count of it leads to, one by
 * one, by the rule as stage.h words it. The configurations are in test_selection_fuzz.c. */
#include <string.h>

#include "common/cmocka_all.h"
#include "common/random.h"
#include "devices.h"
#include "domain/selection.h"

#define MOST_TOKENS 131072u /* beyond the last threshold of 1,024 experts and k = 1: 96 rows each */

static bool reaches(const smoe_tile *tile, const smoe_rows *rows, uint32_t tokens)
{
    return tile->rows > 0 && (double)tokens * rows->active / rows->expert_count >= (double)tile->min_rows &&
           tile->rows < 2 * tokens;
}

static uint32_t expected_regime(const smoe_tuning *tuning, const smoe_rows *rows, uint32_t tokens)
{
    uint32_t regime = SMOE_REGIME_COUNT - 1;
    while (regime > 0 && !reaches(&tuning->regimes[regime], rows, tokens))
        regime--;
    while (regime > 0 && tuning->regimes[regime].matmul == SMOE_MATMUL_TILED &&
           2ull * rows->columns <= tuning->regimes[regime].columns)
        regime--;
    return regime;
}

static uint8_t regime_of[MOST_TOKENS + 1];

static void check_range(const smoe_tuning *tuning, const smoe_rows *rows, uint32_t first, uint32_t last)
{
    uint32_t expected = 0;
    for (uint32_t tokens = first; tokens <= last; tokens++)
        expected |= 1u << regime_of[tokens];
    const uint32_t got = smoe_regimes_for(tuning, rows, first, last);
    if (got != expected)
        fail_msg("SMOE_TEST_SEED=%llu: %s, k=%u E=%u columns=%u, %u to %u tokens: regimes 0x%x, must be 0x%x",
                 (unsigned long long)test_seed(), tuning->name, rows->active, rows->expert_count, rows->columns, first,
                 last, got, expected);
}

/* Every count, the ranges about every threshold, from the first and to the last, and ranges anywhere. */
static void check(const smoe_tuning *tuning, const smoe_rows *rows, test_random *random)
{
    for (uint32_t tokens = 1; tokens <= MOST_TOKENS; tokens++) {
        regime_of[tokens] = (uint8_t)expected_regime(tuning, rows, tokens);
        assert_int_equal(smoe_regime_for(tuning, rows, tokens), regime_of[tokens]);
    }
    for (uint32_t tokens = 2; tokens <= MOST_TOKENS; tokens++)
        if (regime_of[tokens] != regime_of[tokens - 1]) {
            check_range(tuning, rows, 1, tokens - 1);
            check_range(tuning, rows, 1, tokens);
            check_range(tuning, rows, tokens - 1, tokens);
            check_range(tuning, rows, tokens, tokens);
            check_range(tuning, rows, tokens, MOST_TOKENS);
        }
    check_range(tuning, rows, 1, MOST_TOKENS);
    for (int i = 0; i < 8; i++) {
        const uint32_t first = 1 + test_random_below(random, MOST_TOKENS);
        check_range(tuning, rows, first, first + test_random_below(random, MOST_TOKENS - first + 1));
    }
}

static smoe_rows random_rows(test_random *random)
{
    const uint32_t experts = 1 + test_random_below(random, test_random_below(random, 2) ? 1024 : 16);
    const uint32_t columns[] = {UINT32_MAX, 1, 31, 32, 33, 64, 65, 1 + test_random_below(random, 256)};
    return (smoe_rows){1 + test_random_below(random, experts < 12 ? experts : 12), experts,
                       columns[test_random_below(random, 8)]};
}

static void test_tunings(void **state)
{
    test_random random = test_random_make(test_seed(), 2);
    const smoe_rows wide[] = {{1, 682, UINT32_MAX}, {1, 683, UINT32_MAX}, {1, 1024, UINT32_MAX},
                              {1, 1, UINT32_MAX},   {1, 1, 40},           {1, 1, 1}};
    const smoe_tuning *seen[TEST_DEVICE_COUNT + 1] = {smoe_tuning_cooperative()};
    uint32_t count = 1;
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++) {
        const smoe_device_info info = test_device(i);
        seen[count] = smoe_tuning_find(&info);
        for (uint32_t k = 0; k <= count; k++)
            if (seen[k] == seen[count]) {
                count += k == count;
                break;
            }
    }
    assert_int_equal(count, 6);
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof wide / sizeof wide[0]; k++)
            check(seen[i], &wide[k], &random);
        for (int k = 0; k < 4; k++) {
            const smoe_rows rows = random_rows(&random);
            check(seen[i], &rows, &random);
        }
    }
}

/* Tables that nobody wrote: regimes left out, tiles that idle, thresholds anywhere. */
static void test_random_tunings(void **state)
{
    test_random random = test_random_make(test_seed(), 3);
    (void)state;
    for (int i = 0; i < 40; i++) {
        smoe_tuning tuning = {.name = "random"};
        float least = 0;
        for (uint32_t k = 0; k < SMOE_REGIME_COUNT; k++) {
            const bool left_out = k > 0 && test_random_below(&random, 5) == 0;
            tuning.regimes[k] =
                (smoe_tile){.matmul = test_random_below(&random, 2) ? SMOE_MATMUL_TILED : SMOE_MATMUL_BROADCAST,
                            .min_rows = least,
                            .rows = (uint16_t)(left_out ? 0 : 1u << test_random_below(&random, 8)),
                            .columns = (uint16_t)(1u << test_random_below(&random, 8))};
            least += test_random_uniform(&random, 0, 1) * (float)(1u << 2 * k);
        }
        const smoe_rows rows = random_rows(&random);
        check(&tuning, &rows, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tunings), cmocka_unit_test(test_random_tunings)};
    return cmocka_run_group_tests_name("matmul", tests, NULL, NULL);
}
