/* Members of JSON's objects into structs, by tables. What is wrong is said once, with its place in the document. */
#ifndef BENCH_READ_FIELDS_H
#define BENCH_READ_FIELDS_H

#include <cjson/cJSON.h>

#include "results.h"

enum { FIELDS_MAX_MEMBERS = 1024 }; /* of an object */

typedef struct results_reader {
    results_document *document;
    char place[RESULTS_RULE_SIZE / 2]; /* what is being read: "rows[3].hard" */
    char rule[RESULTS_RULE_SIZE];      /* "rows[3].hard.eps: must be a number"; empty: nothing is wrong */
} results_reader;

typedef enum field_kind { FIELD_TEXT, FIELD_FLAG, FIELD_COUNT, FIELD_NUMBER, FIELD_SPREAD, FIELD_TEXTS } field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    bool needed;
    uint32_t least; /* of a count */
    size_t offset;
} field;

/* A member of JSON that has the name of the struct's, checked to be of the kind's type. */
#define FIELD_INTO(type, kind_, structure, member)                                                                     \
    .name = #member, .kind = (kind_),                                                                                  \
    .offset = offsetof(structure, member) + 0 * sizeof(&((structure *)0)->member == (type *)0)
#define TEXT(structure, member) FIELD_INTO(const char *, FIELD_TEXT, structure, member)
#define FLAG(structure, member) FIELD_INTO(bool, FIELD_FLAG, structure, member)
#define COUNT(structure, member) FIELD_INTO(uint32_t, FIELD_COUNT, structure, member)
#define NUMBER(structure, member) FIELD_INTO(double, FIELD_NUMBER, structure, member)
#define SPREAD(structure, member) FIELD_INTO(results_spread, FIELD_SPREAD, structure, member)
#define TEXTS(structure, member) FIELD_INTO(results_texts, FIELD_TEXTS, structure, member)
#define NEEDED .needed = true
#define POSITIVE .least = 1

/* Fills the fields of a struct, those that are not in the object too. False: a rule is broken. */
bool fields_read(results_reader *reader, const cJSON *object, const field *fields, size_t count, void *into);
#define FIELDS_READ(reader, object, fields, into)                                                                      \
    fields_read(reader, object, fields, sizeof(fields) / sizeof *(fields), into)

/* Says that a member of what is being read breaks a rule; NULL: that itself does. Gives false. */
bool fields_fail(results_reader *reader, const char *member, const char *rule);

/* Goes to a member of what is being read, and to an element unless index is negative; gives what fields_leave takes. */
size_t fields_enter(results_reader *reader, const char *member, long index);
void fields_leave(results_reader *reader, size_t before);

/* A member; NULL where it is missing or null. */
const cJSON *fields_member(const cJSON *object, const char *name);

/* Whether what is being read is an object, of no more members than any object of a document has. */
bool fields_must_be_object(results_reader *reader, const cJSON *item);

/* A member that is an object, or a list, of at most so many; NULL where it is missing, and a rule is broken if it is
 * needed, or is anything else. */
const cJSON *fields_object(results_reader *reader, const cJSON *object, const char *name, bool needed, size_t most);
const cJSON *fields_list(results_reader *reader, const cJSON *object, const char *name, bool needed, size_t most);

/* A number of the member's name or of a list of that name; the name of a member, as a text. False: a rule is broken. */
bool fields_number(results_reader *reader, const char *name, const cJSON *item, double *out);
bool fields_key(results_reader *reader, const cJSON *item, const char **out);

/* Zeros that live as long as the document; NULL, and a rule is broken, where there is no memory. */
void *fields_allocate(results_reader *reader, size_t count, size_t size);
void fields_release(results_document *document);

#endif
