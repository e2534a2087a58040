/* The parser of command lines: every kind of option, every rule, and garbage. How programs use it, and what they print,
 * is in tests/samples/test_command_lines.py. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/random.h"
#include "program/option_value.h"
#include "program/options.h"
#include "smoe/smoe.h"

typedef struct options {
    bool flag, set[4];
    uint32_t count, small, pair[2], argument;
    uint64_t large;
    double number, above;
    float eps, group_eps, scale, nothing;
    int name, activation;
    const char *text, *path;
    program_counts counts;
    program_floats bands;
    program_texts texts;
} options;

static const char *colour(int index)
{
    static const char *const names[] = {"red", "green", "blue", NULL};
    return names[index];
}

static bool find_colour(const char *text, int *index)
{
    *index = 2;
    return strcmp(text, "navy") == 0;
}

static const program_names colours = {colour, find_colour}, plain_colours = {.name = colour};

static bool set_pair(const program_option *option, const char *value, void *to, char rule[PROGRAM_RULE_SIZE])
{
    uint32_t *pair = ((options *)to)->pair;
    snprintf(rule, PROGRAM_RULE_SIZE, "must be N/N up to %.0f", option->most);
    return sscanf(value, "%" SCNu32 "/%" SCNu32, &pair[0], &pair[1]) == 2 && pair[0] <= option->most &&
           pair[1] <= option->most;
}

static const program_option first[] = {
    PROGRAM_HEADING("first:"),
    {"--flag", NULL, "", PROGRAM_FLAG(options, flag)},
    {"--text", "TEXT", "", PROGRAM_TEXT(options, text)},
    {"--path", "FILE", "", PROGRAM_TEXT(options, path), .fallback = "here"},
    {"--count", "N", "", PROGRAM_COUNT(options, count, 0, UINT32_MAX), .fallback = "64"},
    {"--small", "N", "", PROGRAM_COUNT(options, small, 3, 20)},
    {"--large", "N", "", PROGRAM_LARGE(options, large, 1, 9007199254740992.0)},
};
static const program_option second[] = {
    {"--number", "X", "", PROGRAM_NUMBER(options, number, -2.5, 1e10)},
    {"--above", "X", "", PROGRAM_NUMBER(options, above, 0, 1), .above = true},
    {"--eps", "X", "", PROGRAM_FORWARD(options, eps)},
    {"--group-eps", "X", "", PROGRAM_FORWARD(options, group_eps)},
    {"--scale", "X", "", PROGRAM_FORWARD(options, scale)},
    {"--nothing", "X", "", PROGRAM_FORWARD(options, nothing)},
    {"--name", "COLOUR", "", PROGRAM_NAME(options, name, &colours)},
    {"--activation", "NAME", "", PROGRAM_NAME(options, activation, &program_activations), .fallback = "silu"},
    {"--set", "COLOUR", "", PROGRAM_SET(options, set, &plain_colours)},
    {"--counts", "N,N", "", PROGRAM_COUNTS(options, counts, 1, 9000)},
    {"--temperature", "X,X", "", PROGRAM_FORWARDS(options, bands)},
    {"--texts", "TEXT", "", PROGRAM_TEXTS(options, texts)},
    {"--argument", "FILE", "", PROGRAM_ARGUMENT(options, argument)},
    {"--pair", "N/N", "", PROGRAM_OTHER(set_pair), .most = 99},
};

static const program_desc description = {
    .name = "test_options",
    .about = "Options of every kind.",
    .usage = {"[options] FILE..."},
    .tables = {PROGRAM_TABLE(first), PROGRAM_TABLE(second)},
    .argument = "FILE",
    .most_arguments = 4,
};

enum { MOST_WORDS = 16 };

/* Reads the words, up to NULL. */
static bool read_words(const program_desc *program, const char *const *words, options *out, program_line *line)
{
    static char storage[MOST_WORDS][64], *arguments[MOST_WORDS + 1];
    int count = 1;
    arguments[0] = storage[0];
    for (; words[count - 1]; count++) {
        assert_true(count < MOST_WORDS);
        snprintf(storage[count], sizeof storage[0], "%s", words[count - 1]);
        arguments[count] = storage[count];
    }
    memset(out, 0x5a, sizeof *out);
    return program_read(program, count, arguments, out, line);
}

#define READ(out, line, ...) read_words(&description, (const char *const[]){__VA_ARGS__, NULL}, (out), (line))

static void test_nothing_given(void **state)
{
    options o;
    program_line line;
    (void)state;
    assert_true(READ(&o, &line, NULL));
    assert_int_equal(line.status, 0);
    assert_int_equal(line.argument_count, 0);
    assert_true(!o.flag && !o.set[0] && !o.set[1] && !o.set[2] && !o.set[3] && !o.text && o.argument == 0);
    assert_true(o.small == 0 && o.large == 0 && isnan(o.number) && isnan(o.above) && isnan(o.eps) && isnan(o.scale) &&
                o.name == -1);
    assert_true(o.count == 64 && o.activation == SMOE_ACTIVATION_SILU && o.pair[0] == 0x5a5a5a5a);
    assert_string_equal(o.path, "here");
    assert_null(program_given(&line, "--path"));
    assert_string_equal(program_value(&line, "--path"), "here");
    assert_null(program_value(&line, "--text"));
    assert_null(program_value(&line, "--no-such"));
}

static void test_every_kind(void **state)
{
    options o;
    program_line line;
    (void)state;
    assert_true(READ(&o, &line, "--flag", "--text", "a=b", "--path=c=d", "--count", "4294967295", "--small=2e1"));
    assert_true(o.flag && o.count == UINT32_MAX && o.small == 20);
    assert_string_equal(o.text, "a=b");
    assert_string_equal(o.path, "c=d");
    assert_string_equal(program_given(&line, "--flag"), "");
    assert_string_equal(program_given(&line, "--small"), "2e1");
    assert_true(READ(&o, &line, "--large", "9007199254740992"));
    assert_true(o.large == UINT64_C(9007199254740992));
    assert_true(READ(&o, &line, "--number", "-2.5", "--above=1", "--eps", "0", "--group-eps=1e30", "--scale", "-3e38",
                     "--name", "navy"));
    assert_true(o.number == -2.5 && o.above == 1 && o.eps == 0 && o.group_eps == 1e30f && o.scale == -3e38f &&
                o.name == 2);
    assert_true(READ(&o, &line, "--activation=swish", "--set", "blue", "--set=red", "--pair", "7/8", "--pair=9/10",
                     "--flag", "--flag"));
    assert_true(o.activation == SMOE_ACTIVATION_SILU && o.set[0] && !o.set[1] && o.set[2] && !o.set[3]);
    assert_true(o.pair[0] == 9 && o.pair[1] == 10 && o.flag);
}

static void check_arguments(const program_line *line, const char *const *expected, uint32_t count)
{
    assert_int_equal(line->argument_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_string_equal(line->arguments[i], expected[i]);
}

static void test_arguments(void **state)
{
    options o;
    program_line line;
    (void)state;
    assert_true(READ(&o, &line, "a", "--flag", "-", "--argument", "b", "--argument=--c"));
    check_arguments(&line, (const char *const[]){"a", "-", "b", "--c"}, 4);
    assert_int_equal(o.argument, 2);
    assert_true(READ(&o, &line, "--text", "--", "--", "--flag", "--", "-h"));
    check_arguments(&line, (const char *const[]){"--flag", "--", "-h"}, 3);
    assert_string_equal(o.text, "--");
    assert_false(o.flag);
    assert_true(READ(&o, &line, "--text", "--help")); /* a value, whatever it looks like */
    assert_string_equal(o.text, "--help");
}

static void test_refused_lines(void **state)
{
    static const char *const lines[][7] = {
        {"--no-such"}, {"--fla"}, {"--flags"}, {"-f"}, {"-flag"}, {"--flag=1"}, {"--flag="}, {"--text"}, {"--text="},
        {"--text", ""}, {"--text", "a", "--text", "a"}, {"--count=1", "--count=1"}, {"--name", "red", "--name=red"},
        {"--eps=1", "--eps", "1"}, {"a", "b", "c", "d", "e"}, {"a", "b", "c", "d", "--argument", "e"}, {""}, {"--", ""},
        {"--argument="}, {"--set", "x"}, {"--pair", "1/100"}, {"first:"}, {"--nothing", "1"},
        {"=", "--", "--", "--", "--", "-"}, {"--=1"}, {"---"},
    };
    options o;
    program_line line;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const bool file = strcmp(lines[i][0], "first:") == 0; /* a heading is no option, and this is an argument */
        if (read_words(&description, lines[i], &o, &line) != file)
            fail_msg("line %zu, from %s on", i, lines[i][0]);
        assert_int_equal(line.status, file ? 0 : PROGRAM_REFUSED);
    }
}

static void test_numbers_of_arguments(void **state)
{
    program_desc program = {.name = "test_options", .about = "", .usage = {""}};
    options o;
    program_line line;
    (void)state;
    assert_true(read_words(&program, (const char *const[]){NULL}, &o, &line));
    assert_false(read_words(&program, (const char *const[]){"a", NULL}, &o, &line));
    program.argument = "FILE";
    program.least_arguments = program.most_arguments = 1;
    assert_false(read_words(&program, (const char *const[]){NULL}, &o, &line));
    assert_int_equal(line.status, PROGRAM_REFUSED);
    assert_true(read_words(&program, (const char *const[]){"a", NULL}, &o, &line));
    assert_false(read_words(&program, (const char *const[]){"a", "b", NULL}, &o, &line));
}

static const program_option *find(const char *name)
{
    const program_option *option;
    for (size_t i = 0; (option = program_option_at(&description, i)) != NULL; i++)
        if (option->name && strcmp(option->name, name) == 0)
            return option;
    fail_msg("no option %s", name);
    return NULL;
}

/* Whether a value is taken; rule: what is said where it is not. */
static bool takes(const char *name, const char *value, options *o, char rule[PROGRAM_RULE_SIZE])
{
    rule[0] = '\0';
    program_clear_value(find(name), o);
    return program_set_value(find(name), value, o, rule);
}

static void test_rules(void **state)
{
    static const struct {
        const char *name, *rule, *wrong[12];
    } rows[] = {
        {"--count",
         "must be a whole number from 0 to 4294967295",
         {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e", "1e+1", "4294967296", "99999999999999999999", "1e10"}},
        {"--small",
         "must be a whole number from 3 to 20",
         {"2", "21", "nan", "1e2", "3,", "2e0", "1e999", "18446744073709551619", "e1"}},
        {"--large",
         "must be a whole number from 1 to 9007199254740992",
         {"0", "9007199254740993", "1e16", "18446744073709551617", "10e15", "1e99", "1e99999999999"}},
        {"--number",
         "must be a number from -2.5 to 1e+10",
         {"", "-2.6", "1.1e10", "nan", "inf", "-inf", "0x1p3", "1,5", "1e", "1..", "1e999", " 1"}},
        {"--above", "must be a number above 0, at most 1", {"0", "-0", "1.1", "-1", "1e-999", "x", "1e5e", "--", "1-"}},
        {"--eps",
         "must be a number, 0 or 1e-30 .. 1e30",
         {"-1", "9e-31", "1.1e30", "1e99", "nan", "inf", "x", "", "1e309", "-1e-30"}},
        {"--scale", "must be a number, finite", {"4e38", "-4e38", "inf", "nan", "1e400", ""}},
        {"--name", "must be red, green or blue", {"", "Red", "red ", "re", "navyblue"}},
        {"--set", "must be red, green or blue", {"", "navy", "red,navy", "red,", ",red", "red,,blue"}},
        {"--text", "must not be empty", {""}},
        {"--pair", "must be N/N up to 99", {"", "1", "100/1"}},
    };
    options o;
    char rule[PROGRAM_RULE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < sizeof rows[0].wrong / sizeof rows[0].wrong[0] && rows[i].wrong[k]; k++) {
            if (takes(rows[i].name, rows[i].wrong[k], &o, rule))
                fail_msg("%s takes \"%s\"", rows[i].name, rows[i].wrong[k]);
            assert_string_equal(rule, rows[i].rule);
        }
}

static void test_lists(void **state)
{
    static const struct {
        const char *value;
        uint32_t count, values[8];
    } rows[] = {
        {"8", 1, {8}}, {"1,8,64:512*2", 6, {1, 8, 64, 128, 256, 512}}, {"1:4", 4, {1, 2, 3, 4}},
        {"7:7", 1, {7}}, {"10:20+4", 3, {10, 14, 18}}, {"2:30*3", 3, {2, 6, 18}},
        {"3,1,3,2:3", 3, {3, 1, 2}}, {"9000,1e3", 2, {9000, 1000}},
    };
    static const char *const wrong[] = {"", ",", "1,", ",1", "0", "9001", "1:", ":1", "2:1", "1:9:2", "1+2", "1*2",
                                        "1:9*1", "1:9*0", "1:9+0", "1:9*", "1:9+", "1:9*1.5", "1:9-1", "1:9001",
                                        "1:65", "1 2", "1;2", "-1", "1:9*2*2", "1:9+1+1", "x"};
    options o;
    char rule[PROGRAM_RULE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(takes("--counts", rows[i].value, &o, rule));
        assert_int_equal(o.counts.count, rows[i].count);
        assert_memory_equal(o.counts.values, rows[i].values, rows[i].count * sizeof(uint32_t));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (takes("--counts", wrong[i], &o, rule))
            fail_msg("--counts takes \"%s\"", wrong[i]);
        assert_true(strncmp(rule, "must be ", 8) == 0);
    }
    assert_true(takes("--counts", "1:64", &o, rule) && o.counts.count == PROGRAM_MAX_VALUES);
}

static void test_other_lists(void **state)
{
    static const float bands[] = {0.5f, 0.25f, 1, 2, 4};
    options o;
    program_line line;
    char rule[PROGRAM_RULE_SIZE];
    (void)state;
    assert_true(takes("--temperature", "0.5,0.25,1:4*2", &o, rule) && o.bands.count == 5);
    assert_memory_equal(o.bands.values, bands, sizeof bands);
    assert_true(takes("--temperature", "0.1:0.5+0.1", &o, rule) && o.bands.count == 5);
    assert_false(takes("--temperature", "0.1:0.5", &o, rule)); /* of numbers that are not whole there is no next one */
    assert_false(takes("--temperature", "0", &o, rule));
    assert_false(takes("--temperature", "1:2*nan", &o, rule));
    assert_true(READ(&o, &line, "--counts", "5", "--counts=4,5", "--texts", "a,b", "--texts=c", "--set", "blue,red"));
    assert_true(o.counts.count == 2 && o.counts.values[0] == 5 && o.counts.values[1] == 4);
    assert_true(o.texts.count == 2 && strcmp(o.texts.values[0], "a,b") == 0 && strcmp(o.texts.values[1], "c") == 0);
    assert_true(o.set[0] && !o.set[1] && o.set[2]);
    assert_true(READ(&o, &line, NULL) && o.counts.count == 0 && o.bands.count == 0 && o.texts.count == 0);
    assert_false(READ(&o, &line, "--texts="));
}

/* A number of a forward is legal on a command line exactly where the library takes it. */
static void test_forward_numbers(void **state)
{
    static const char *const values[] = {"0",      "-0",     "1e-30",   "1e30",  "1",    "1024",
                                         "1024.1", "3.4e38", "-3.4e38", "1e-46", "1e-40"};
    static const char *const names[] = {"--eps", "--group-eps", "--scale"};
    static const uint32_t indexes[] = {0, 6, 5};
    options o;
    char rule[PROGRAM_RULE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            assert_int_equal(takes(names[i], values[k], &o, rule),
                             smoe_forward_number_allows(smoe_forward_number_get(indexes[i]), strtof(values[k], NULL)));
}

static void test_lists_of_names(void **state)
{
    char text[128], library[SMOE_NAME_LIST_SIZE], little[8];
    (void)state;
    program_list_names(&program_activations, text, sizeof text);
    smoe_activation_list(library);
    assert_string_equal(text, library);
    program_list_names(&program_rounded_types, text, sizeof text);
    assert_string_equal(text, "f32, f16, bf16, mxfp4, q4, q8, fp8 or nvfp4");
    for (smoe_type type = 0; smoe_type_name(type); type++)
        assert_string_equal(program_types.name((int)type), smoe_type_short_name(type));
    program_list_names(&colours, little, sizeof little);
    assert_string_equal(little, "red, gr");
}

static const program_option rounded = {"--weights", "TYPE", "", PROGRAM_NAME(options, name, &program_rounded_types)};

static void refuse_type(const char *name)
{
    char rule[PROGRAM_RULE_SIZE] = "";
    options o;
    if (program_set_value(&rounded, name, &o, rule))
        fail_msg("--weights takes \"%s\"", name);
    assert_string_equal(rule, "must be f32, f16, bf16, mxfp4, q4, q8, fp8 or nvfp4");
}

/* The types that weights are rounded to, and no other that the library has, by their names as they are. */
static void test_rounded_types(void **state)
{
    char rule[PROGRAM_RULE_SIZE], text[32];
    options o;
    (void)state;
    for (smoe_type type = 0; smoe_type_name(type); type++) {
        const char *name = smoe_type_short_name(type);
        if (!smoe_weights_can_pack(type)) {
            refuse_type(name);
            continue;
        }
        assert_true(program_set_value(&rounded, name, &o, rule) && o.name == (int)type);
        snprintf(text, sizeof text, "%s ", name);
        refuse_type(text);
        text[strlen(name) - 1] = '\0';
        refuse_type(text);
        snprintf(text, sizeof text, "%c%s", name[0] - 'a' + 'A', name + 1);
        refuse_type(text);
    }
    refuse_type("");
    refuse_type("q4_k");
}

/* A program's array that is shorter than the list of names. */
static void test_short_set(void **state)
{
    char rule[PROGRAM_RULE_SIZE] = "";
    options o = {0};
    program_option option = *find("--set");
    (void)state;
    option.most = 2;
    assert_true(program_set_value(&option, "green", &o, rule));
    assert_false(program_set_value(&option, "blue", &o, rule));
    assert_string_equal(rule, "must be one of the first 2 names");
    assert_true(program_set_value(&option, "all", &o, rule));
    assert_true(o.set[0] && o.set[1] && !o.set[2]); /* and nothing behind the array */
    option.most = 3;
    assert_true(program_set_value(&option, "red,all", &o, rule) && o.set[2]);
    assert_false(program_set_value(&option, "all,navy", &o, rule));
}

/* ---- garbage ----------------------------------------------------------------------------------------------------- */

static void draw_text(test_random *random, char *text, uint32_t most)
{
    static const char letters[] = "0123456789012345678900..eE+--xnaif ,=";
    const uint32_t length = test_random_below(random, most);
    for (uint32_t i = 0; i < length; i++)
        text[i] = letters[test_random_below(random, sizeof letters - 1)];
    text[length] = '\0';
}

/* What is taken is what strtod makes of the whole text, in the range. */
static void test_random_values(void **state)
{
    test_random random = test_random_make(test_seed(), 1);
    options o;
    char rule[PROGRAM_RULE_SIZE], text[32], *end;
    uint32_t taken = 0;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        draw_text(&random, text, 9);
        const double value = strtod(text, &end);
        const bool whole = *text && !*end && strspn(text, "0123456789+-.eE") == strlen(text);
        const bool number = takes("--number", text, &o, rule);
        bool good = number == (whole && value >= -2.5 && value <= 1e10) && (!number || o.number == value);
        const bool count = takes("--count", text, &o, rule);
        good = good && (!count || (whole && o.count == value)) &&
               (count || strspn(text, "0123456789") != strlen(text) || !*text || value > UINT32_MAX);
        taken += number + count;
        if (!good)
            fail_msg("\"%s\", seed %" PRIu64, text, test_seed());
    }
    assert_true(taken > 10000);
}

/* Any line is read or refused; what is kept lies among the arguments. Its messages go to stderr, so there are few of
 * them. */
static void test_random_lines(void **state)
{
    test_random random = test_random_make(test_seed(), 2);
    uint32_t read = 0;
    (void)state;
    for (int i = 0; i < 200; i++) {
        char storage[MOST_WORDS][64];
        const char *words[MOST_WORDS + 1] = {NULL};
        const uint32_t count = test_random_below(&random, 5);
        options o;
        program_line line;
        for (uint32_t k = 0; k < count; k++) {
            const program_option *option = program_option_at(&description, test_random_below(&random, 18));
            const char *name = option->name && test_random_below(&random, 2) ? option->name : "";
            char value[16];
            draw_text(&random, value, 4);
            snprintf(storage[k], sizeof storage[k], "%s%s%s", name, test_random_below(&random, 2) ? "=" : "", value);
            words[k] = storage[k];
        }
        const bool good = read_words(&description, words, &o, &line);
        read += good;
        if (line.status != (good ? 0 : PROGRAM_REFUSED) || line.argument_count > count)
            fail_msg("line %d, seed %" PRIu64, i, test_seed());
    }
    assert_true(read > 20 && read < 180);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_given), cmocka_unit_test(test_every_kind), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_refused_lines), cmocka_unit_test(test_numbers_of_arguments), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_lists), cmocka_unit_test(test_other_lists),
        cmocka_unit_test(test_forward_numbers), cmocka_unit_test(test_lists_of_names),
        cmocka_unit_test(test_rounded_types), cmocka_unit_test(test_short_set),
        cmocka_unit_test(test_random_values), cmocka_unit_test(test_random_lines),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
