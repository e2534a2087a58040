/* A log that remembers: what a test hands to smoe as its log. Any thread may log. */
#ifndef TEST_RECORD_H
#define TEST_RECORD_H

#include <pthread.h>

#include "smoe/smoe.h"

#define TEST_RECORD_LINES 32
#define TEST_RECORD_TEXT 512

typedef struct test_record {
    pthread_mutex_t mutex;
    uint32_t line_count; /* all since the last clear; the last TEST_RECORD_LINES are kept */
    smoe_log_level levels[TEST_RECORD_LINES];
    char lines[TEST_RECORD_LINES][TEST_RECORD_TEXT];
} test_record;

void test_record_init(test_record *record);
smoe_log test_record_log(test_record *record); /* record must stay where it is while the log is in use */
void test_record_clear(test_record *record);

/* Errors and warnings since the last clear, and whether one of them contains `text` (ignoring case). */
uint32_t test_record_problem_count(test_record *record);
bool test_record_has_problem(test_record *record, const char *text);
void test_record_print(test_record *record);

#endif
