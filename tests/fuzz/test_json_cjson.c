/* The scanner against cJSON: both read and refuse the same texts, and read the same values. The texts are made of
 * tokens with which cJSON is as strict as JSON; what it lets pass (leading zeros, points without digits, control
 * characters, bytes that are not UTF-8) is test_json.c's. */
#include "common/cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "common/random.h"
#include "file/file_internal.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MOST_TOKENS 400
#define ROUNDS 20000

static const char *const scalars[] = {"1", "0.5", "-2.5e-1", "12E+2", "7340032", "true", "false", "null", "\"\"",
                                      "\"a\\n\\u00e9\"", "\"\\ud83d\\ude00\xe2\x82\xac\"", "\"\\\"{[,:]}\\\\\""};
static const char *const names[] = {"\"a\"", "\"b\\t\"", "\"\\u0041\"", "\"\""};
static const char *const others[] = {"{", "}", "[", "]", ",", ":", " ", "\n", "-", "\"", "\\", "\"\\x\"",
                                     "\"\\udc00\"", "tru", "+1", ".5", "e"};

typedef struct token_list {
    const char *tokens[MOST_TOKENS + 8];
    uint32_t count;
} token_list;

static void add(token_list *list, const char *token)
{
    if (list->count < MOST_TOKENS)
        list->tokens[list->count++] = token;
}

static void add_value(token_list *list, test_random *random, int depth)
{
    const uint32_t kind = test_random_below(random, depth < 5 ? 4 : 2);
    if (kind < 2 && depth > 0) {
        add(list, scalars[test_random_below(random, COUNT(scalars))]);
        return;
    }
    const bool is_object = depth == 0 || kind == 2;
    add(list, is_object ? "{" : "[");
    const uint32_t count = test_random_below(random, 4);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            add(list, ",");
        if (is_object) {
            add(list, names[test_random_below(random, COUNT(names))]);
            add(list, ":");
        }
        if (test_random_below(random, 4) == 0)
            add(list, " ");
        add_value(list, random, depth + 1);
    }
    add(list, is_object ? "}" : "]");
}

/* Puts a token in, takes one out, or puts another in its place. */
static void damage(token_list *list, test_random *random)
{
    const uint32_t at = test_random_below(random, list->count), way = test_random_below(random, 3);
    const char *token = test_random_below(random, 2) ? others[test_random_below(random, COUNT(others))]
                                                     : scalars[test_random_below(random, COUNT(scalars))];
    if (way == 0)
        memmove(&list->tokens[at + 1], &list->tokens[at], (list->count++ - at) * sizeof *list->tokens);
    else if (way == 1 && list->count > 1)
        memmove(&list->tokens[at], &list->tokens[at + 1], (--list->count - at) * sizeof *list->tokens);
    if (way != 1)
        list->tokens[at] = token;
}

static smoe_json_span join(const token_list *list)
{
    smoe_json_span text = {NULL, 0};
    for (uint32_t i = 0; i < list->count; i++)
        text.size += strlen(list->tokens[i]);
    text.text = malloc(text.size + 1);
    assert_non_null(text.text);
    char *at = text.text;
    for (uint32_t i = 0; i < list->count; i++) {
        memcpy(at, list->tokens[i], strlen(list->tokens[i]));
        at += strlen(list->tokens[i]);
    }
    *at = '\0';
    return text;
}

static void compare(smoe_json_span value, const cJSON *item);

static void compare_children(smoe_json_span value, const cJSON *parent)
{
    smoe_json_cursor in = smoe_json_enter(value);
    smoe_json_span name, child;
    const char *reason;
    for (const cJSON *item = parent->child; item; item = item->next) {
        if (cJSON_IsObject(parent)) {
            assert_int_equal(smoe_json_next_member(&in, &name, &child, &reason), SMOE_JSON_ITEM);
            assert_string_equal(smoe_json_string(name), item->string);
        } else {
            assert_int_equal(smoe_json_next_element(&in, &child, &reason), SMOE_JSON_ITEM);
        }
        compare(child, item);
    }
    const smoe_json_step end = cJSON_IsObject(parent) ? smoe_json_next_member(&in, &name, &child, &reason)
                                                      : smoe_json_next_element(&in, &child, &reason);
    assert_int_equal(end, SMOE_JSON_END);
}

static void compare(smoe_json_span value, const cJSON *item)
{
    double number;
    if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        compare_children(value, item);
    } else if (cJSON_IsString(item)) {
        assert_string_equal(smoe_json_string(value), item->valuestring);
    } else if (cJSON_IsNumber(item)) {
        const bool finite = smoe_json_number(value, &number);
        assert_true(finite == isfinite(item->valuedouble));
        assert_true(!finite || (float)number == (float)item->valuedouble);
    } else if (cJSON_IsNull(item)) {
        assert_int_equal(*value.text, 'n');
        assert_null(smoe_json_scalar(value));
    } else {
        assert_string_equal(smoe_json_scalar(value), cJSON_IsTrue(item) ? "true" : "false");
    }
}

static void test_random_texts(void **state)
{
    const uint64_t seed = test_seed();
    test_random random = test_random_make(seed, 1);
    const smoe_host silent = smoe_host_silent;
    const smoe_file_host host = {silent, "test"};
    uint32_t read = 0;
    (void)state;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        token_list list = {.count = 0};
        uint32_t count;
        add_value(&list, &random, 0);
        for (uint32_t k = test_random_below(&random, 4); k > 0; k--)
            damage(&list, &random);
        const smoe_json_span text = join(&list);
        cJSON *tree = cJSON_ParseWithOpts(text.text, NULL, 1);
        const bool expected = cJSON_IsObject(tree);
        if ((smoe_json_count(&host, smoe_json_enter(text), "it", &count) == SMOE_SUCCESS) != expected)
            fail_msg("SMOE_TEST_SEED=%llu: %s: cJSON %s", (unsigned long long)seed, text.text,
                     expected ? "reads it" : "refuses it");
        if (expected) {
            assert_int_equal(count, cJSON_GetArraySize(tree));
            compare(text, tree);
            read++;
        }
        cJSON_Delete(tree);
        free(text.text);
    }
    print_message("SMOE_TEST_SEED=%llu: %u of %u texts are JSON\n", (unsigned long long)seed, read, ROUNDS);
    assert_true(read > ROUNDS / 8 && read < ROUNDS * 7 / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_texts)};
    return cmocka_run_group_tests_name("json, against cJSON", tests, NULL, NULL);
}
