/* Members of JSON's objects into structs. */
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/text.h"


struct results_memory {
    struct results_memory *next;
    max_align_t data[];
};

void *fields_allocate(results_reader *reader, size_t count, size_t size)
{
    struct results_memory *block = calloc(1, sizeof *block + count * size);
    if (!block) {
        fields_fail(reader, NULL, "no memory for it");
        return NULL;
    }
    block->next = reader->document->memory;
    reader->document->memory = block;
    return block->data;
}

void fields_release(results_document *document)
{
    for (struct results_memory *next; document->memory; document->memory = next) {
        next = document->memory->next;
        free(document->memory);
    }
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

bool fields_fail(results_reader *reader, const char *member, const char *rule)
{
    if (!reader->rule[0])
        snprintf(reader->rule, sizeof reader->rule, "%s%s%s%s%s", reader->place, reader->place[0] && member ? "." : "",
                 member ? member : "", reader->place[0] || member ? ": " : "", rule);
    return false;
}

size_t fields_enter(results_reader *reader, const char *member, long index)
{
    const size_t before = strlen(reader->place);
    char number[32] = "";
    if (index >= 0)
        snprintf(number, sizeof number, "[%ld]", index);
    snprintf(reader->place + before, sizeof reader->place - before, "%s%s%s", before ? "." : "", member, number);
    return before;
}

void fields_leave(results_reader *reader, size_t before)
{
    reader->place[before] = '\0';
}

/* ---- members ----------------------------------------------------------------------------------------------------- */

const cJSON *fields_member(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return item && !cJSON_IsNull(item) ? item : NULL;
}

static bool has_at_most(results_reader *reader, const char *name, const cJSON *item, size_t most)
{
    size_t count = 0;
    char rule[64];
    snprintf(rule, sizeof rule, "must have at most %zu elements", most);
    for (const cJSON *child = item->child; child && count <= most; child = child->next)
        count++;
    return count <= most || fields_fail(reader, name, rule);
}

bool fields_must_be_object(results_reader *reader, const cJSON *item)
{
    return cJSON_IsObject(item) ? has_at_most(reader, NULL, item, FIELDS_MAX_MEMBERS)
                                : fields_fail(reader, NULL, "must be an object");
}

static const cJSON *container(results_reader *reader, const cJSON *object, const char *name, bool needed, size_t most,
                              bool list)
{
    const cJSON *item = fields_member(object, name);
    if (!item && !needed)
        return NULL;
    if (!item || !(list ? cJSON_IsArray(item) : cJSON_IsObject(item))) {
        fields_fail(reader, name, !item ? "is missing" : list ? "must be a list" : "must be an object");
        return NULL;
    }
    return has_at_most(reader, name, item, most) ? item : NULL;
}

const cJSON *fields_object(results_reader *reader, const cJSON *object, const char *name, bool needed, size_t most)
{
    return container(reader, object, name, needed, most, false);
}

const cJSON *fields_list(results_reader *reader, const cJSON *object, const char *name, bool needed, size_t most)
{
    return container(reader, object, name, needed, most, true);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool is_plain(const char *text)
{
    const char *at = text;
    for (int length; *at; at += length)
        if ((length = program_printable(at)) == 0)
            return false;
    return at - text <= RESULTS_MAX_TEXT;
}

static const char text_rule[] = "must be UTF-8 of at most 1024 bytes without control characters";

static bool read_text(results_reader *reader, const char *name, const cJSON *item, const char **out)
{
    if (!cJSON_IsString(item))
        return fields_fail(reader, name, "must be a text");
    *out = item->valuestring;
    return is_plain(*out) || fields_fail(reader, name, text_rule);
}

bool fields_key(results_reader *reader, const cJSON *item, const char **out)
{
    *out = item->string;
    return is_plain(*out) || fields_fail(reader, "a member's name", text_rule);
}

bool fields_number(results_reader *reader, const char *name, const cJSON *item, double *out)
{
    *out = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    return (*out >= 0 && *out <= RESULTS_LARGEST) || fields_fail(reader, name, "must be a number from 0 to 1e30");
}

static bool read_count(results_reader *reader, const field *f, const cJSON *item, uint32_t *out)
{
    char rule[80];
    const double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
    snprintf(rule, sizeof rule, "must be a whole number from %u to %u", (unsigned)f->least, (unsigned)UINT32_MAX);
    if (!(number >= f->least && number <= UINT32_MAX) || number != floor(number))
        return fields_fail(reader, f->name, rule);
    *out = (uint32_t)number;
    return true;
}

static bool read_spread(results_reader *reader, const char *name, const cJSON *item, results_spread *out)
{
    static const field fields[] = {
        {NUMBER(results_spread, min), NEEDED},    {NUMBER(results_spread, p10), NEEDED},
        {NUMBER(results_spread, median), NEEDED}, {NUMBER(results_spread, p90), NEEDED},
        {NUMBER(results_spread, max), NEEDED},
    };
    if (!cJSON_IsObject(item))
        return fields_fail(reader, name, "must be an object");
    const size_t before = fields_enter(reader, name, -1);
    if (!FIELDS_READ(reader, item, fields, out))
        return false;
    if (!(out->min <= out->p10 && out->p10 <= out->median && out->median <= out->p90 && out->p90 <= out->max))
        return fields_fail(reader, NULL, "min, p10, median, p90 and max must rise");
    fields_leave(reader, before);
    return true;
}

static bool read_texts(results_reader *reader, const cJSON *object, const char *name, results_texts *out)
{
    const cJSON *list = fields_list(reader, object, name, true, RESULTS_MAX_TEXTS), *item;
    const char **texts = list ? fields_allocate(reader, (size_t)cJSON_GetArraySize(list), sizeof *texts) : NULL;
    if (!texts)
        return false;
    *out = (results_texts){texts, 0};
    cJSON_ArrayForEach(item, list) if (!read_text(reader, name, item, &texts[out->count++])) return false;
    return true;
}

static void clear(const field *f, void *value)
{
    static const results_spread no_spread = {NAN, NAN, NAN, NAN, NAN};
    switch (f->kind) {
    case FIELD_TEXT: *(const char **)value = ""; break;
    case FIELD_FLAG: *(bool *)value = false; break;
    case FIELD_COUNT: *(uint32_t *)value = 0; break;
    case FIELD_NUMBER: *(double *)value = NAN; break;
    case FIELD_SPREAD: *(results_spread *)value = no_spread; break;
    case FIELD_TEXTS: *(results_texts *)value = (results_texts){NULL, 0}; break;
    }
}

static bool read_value(results_reader *reader, const cJSON *object, const field *f, const cJSON *item, void *value)
{
    switch (f->kind) {
    case FIELD_TEXT: return read_text(reader, f->name, item, value);
    case FIELD_FLAG:
        *(bool *)value = cJSON_IsTrue(item);
        return cJSON_IsBool(item) || fields_fail(reader, f->name, "must be true or false");
    case FIELD_COUNT: return read_count(reader, f, item, value);
    case FIELD_NUMBER: return fields_number(reader, f->name, item, value);
    case FIELD_SPREAD: return read_spread(reader, f->name, item, value);
    case FIELD_TEXTS: return read_texts(reader, object, f->name, value);
    }
    return false;
}

bool fields_read(results_reader *reader, const cJSON *object, const field *fields, size_t count, void *into)
{
    for (const field *f = fields; f < fields + count; f++) {
        const cJSON *item = fields_member(object, f->name);
        void *value = (char *)into + f->offset;
        clear(f, value);
        if (!item && f->needed)
            return fields_fail(reader, f->name, "is missing");
        if (item && !read_value(reader, object, f, item, value))
            return false;
    }
    return true;
}
