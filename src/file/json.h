/* JSON (RFC 8259) in the text itself: no tree, no memory, no state but the caller's.
 *
 * The scanner is smoe's own, since files may be opened on several threads at once, beside whatever the app does, and
 * cJSON keeps its last error and its memory hooks for the whole process. A tree would also take some 40 times its text,
 * of which a header may have 100 MB.
 *
 * What is walked is checked: a member or an element is JSON as a whole, in valid UTF-8, nests no deeper than
 * SMOE_JSON_MAX_DEPTH, and no string has a NUL in it, which a C string could not hold. */
#ifndef SMOE_JSON_H
#define SMOE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* The depth of brackets within a member. A tensor's entry nests two deep; more could only exhaust a stack. */
#define SMOE_JSON_MAX_DEPTH 8

/* One value, from its first byte to its last. */
typedef struct smoe_json_span {
    char *text;
    size_t size;
} smoe_json_span;

/* ---- objects and arrays ------------------------------------------------------------------------------------------ */

typedef struct smoe_json_cursor {
    char *at, *end;
    int depth;
    bool started;
    /* NaN, Infinity and -Infinity, which Python writes into config.json, are words too; they are no scalars */
    bool python;
} smoe_json_cursor;

/* At the beginning of a value, or of a whole text, which may have blanks around it. */
smoe_json_cursor smoe_json_enter(smoe_json_span value);

typedef enum smoe_json_step { SMOE_JSON_ITEM, SMOE_JSON_END, SMOE_JSON_BROKEN } smoe_json_step;

/* The next member of an object, the next element of an array. On SMOE_JSON_BROKEN *reason says what is wrong, and
 * name->size is 0 unless it is wrong with the value of `name`. Where it ends, at points behind the closing bracket. */
smoe_json_step smoe_json_next_member(smoe_json_cursor *object, smoe_json_span *name, smoe_json_span *value,
                                     const char **reason);
smoe_json_step smoe_json_next_element(smoe_json_cursor *array, smoe_json_span *value, const char **reason);

/* ---- values ---------------------------------------------------------------------------------------------------------
 */

/* The spans here are those that a step has given. Each function takes the text apart: a value is read once. */

/* A string, unescaped over its own text: that never grows, and the quotes leave room for the NUL. NULL for anything
 * else. */
const char *smoe_json_string(smoe_json_span value);

/* A string as above, or the own text of a number, true or false with a NUL behind it. NULL for anything else. */
const char *smoe_json_scalar(smoe_json_span value);

bool smoe_json_is_number(smoe_json_span value);
/* False for other values, and for numbers beyond a double's. */
bool smoe_json_number(smoe_json_span value, double *out);
/* False for other values than whole numbers from 0 to `most`, which is at most 2^53. */
bool smoe_json_whole(smoe_json_span value, uint64_t most, uint64_t *out);

/* ---- tokens ---------------------------------------------------------------------------------------------------------
 */

/* Only json_*.c call these. `at` goes from a token's first byte to behind its last; false, with a *reason, for a broken
 * one. */

void smoe_json_skip_blanks(char **at, const char *end);
bool smoe_json_skip_string(char **at, const char *end, const char **reason);
/* A number, true, false or null, or one of Python's words. */
bool smoe_json_skip_word(char **at, const char *end, bool python, const char **reason);

/* The length of the escape that begins at a backslash, and its character; 0, with a *reason, if it is none. A surrogate
 * pair is one. */
size_t smoe_json_escape(const char *at, const char *end, uint32_t *character, const char **reason);

#endif
