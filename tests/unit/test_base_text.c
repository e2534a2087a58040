/* Text that comes from outside, and numbers as text. */
#include "common/cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What is clean stays, byte by byte; of the rest every byte is replaced. */
static void test_clean(void **state)
{
    static const struct {
        const char *text, *cleaned;
    } texts[] = {
        {"", ""},
        {"plain ASCII ~", "plain ASCII ~"},
        {"\303\251 \342\202\254 \360\237\230\200", "\303\251 \342\202\254 \360\237\230\200"},
        {"a\tb\nc\033[31m\177", "a b c [31m "},
        {"\302\205|\302\237|\302\240", "  |  |\302\240"},      /* C1 ends at U+009F */
        {"\374|\300\200|\355\240\200|\342\202", " |  |   |  "}, /* Latin-1, overlong, half of a pair, cut */
        {"\364\217\277\277|\364\220\200\200", "\364\217\277\277|    "}, /* U+10FFFF is the last */
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", texts[i].text);
        const bool clean = strcmp(texts[i].text, texts[i].cleaned) == 0;
        assert_true(smoe_text_clean(text, ' ') == clean);
        assert_string_equal(text, texts[i].cleaned);
        assert_true(smoe_text_clean(text, ' '));
    }
}

/* Whatever stands for the decimal sign becomes a point, and nothing else changes. */
static void test_numbers(void **state)
{
    static const struct {
        const char *written, *cleaned;
    } texts[] = {
        {"1.5", "1.5"},
        {"-1,5e-07", "-1.5e-07"},
        {"3\331\25325", "3.25"}, /* U+066B, Arabic, as ps_AF has it */
        {"17", "17"},
        {"1e+30", "1e+30"},
        {"-inf", "-inf"},
        {"nan", "nan"},
    };
    char text[SMOE_NUMBER_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(text, sizeof text, "%s", texts[i].written);
        smoe_number_clean(text);
        assert_string_equal(text, texts[i].cleaned);
    }
    assert_string_equal(smoe_number_text(text, 9, -1.17549435e-38), "-1.17549435e-38");
    assert_string_equal(smoe_number_text(text, 6, 0.1), "0.1");
    assert_string_equal(smoe_number_text(text, 6, (double)INFINITY), "inf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
