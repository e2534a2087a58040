#include "record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PRINTED 6u

static uint32_t kept(const test_record *record)
{
    return record->line_count < TEST_RECORD_LINES ? record->line_count : TEST_RECORD_LINES;
}

static void message(void *user, smoe_log_level level, const char *text)
{
    test_record *record = user;

    pthread_mutex_lock(&record->mutex);
    const uint32_t line = record->line_count++ % TEST_RECORD_LINES;
    record->levels[line] = level;
    snprintf(record->lines[line], TEST_RECORD_TEXT, "%s", text);
    pthread_mutex_unlock(&record->mutex);
}

void test_record_init(test_record *record)
{
    *record = (test_record){.line_count = 0};
    pthread_mutex_init(&record->mutex, NULL);
}

smoe_log test_record_log(test_record *record)
{
    return (smoe_log){message, record};
}

void test_record_clear(test_record *record)
{
    pthread_mutex_lock(&record->mutex);
    record->line_count = 0;
    pthread_mutex_unlock(&record->mutex);
}

static bool contains(const char *line, const char *text)
{
    for (; *line; line++) {
        size_t i = 0;
        while (text[i] && tolower((unsigned char)line[i]) == tolower((unsigned char)text[i]))
            i++;
        if (!text[i])
            return true;
    }
    return false;
}

static uint32_t count_problems(test_record *record, const char *text)
{
    uint32_t count = 0;

    pthread_mutex_lock(&record->mutex);
    for (uint32_t line = 0; line < kept(record); line++)
        count += record->levels[line] != SMOE_LOG_INFO && (!text || contains(record->lines[line], text));
    pthread_mutex_unlock(&record->mutex);
    return count;
}

uint32_t test_record_problem_count(test_record *record)
{
    return count_problems(record, NULL);
}

bool test_record_has_problem(test_record *record, const char *text)
{
    return count_problems(record, text) > 0;
}

void test_record_print(test_record *record)
{
    pthread_mutex_lock(&record->mutex);
    for (uint32_t line = 0; line < kept(record) && line < PRINTED; line++)
        fprintf(stderr, "    log: %s\n", record->lines[line]);
    if (record->line_count > PRINTED)
        fprintf(stderr, "    log: (%u lines in all)\n", record->line_count);
    pthread_mutex_unlock(&record->mutex);
}
