/* What each kind of option makes of its value. rule: PROGRAM_RULE_SIZE bytes. */
#include "option_value.h"
#include "option_list.h"
#include "option_number.h"

#include <smoe/smoe.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool program_takes_value(const program_option *option)
{
    return option->kind != PROGRAM_KIND_FLAG && option->kind != PROGRAM_KIND_HEADING;
}

bool program_may_repeat(const program_option *option)
{
    return option->kind == PROGRAM_KIND_FLAG || option->kind >= PROGRAM_KIND_SET;
}

static void *member(const program_option *option, void *options)
{
    return (char *)options + option->offset;
}

static int count_names(const program_names *names)
{
    int count = 0;
    while (names->name(count))
        count++;
    return count;
}

void program_clear_value(const program_option *option, void *options)
{
    void *to = member(option, options);
    switch (option->kind) {
    case PROGRAM_KIND_FLAG: *(bool *)to = false; break;
    case PROGRAM_KIND_TEXT: *(const char **)to = NULL; break;
    case PROGRAM_KIND_COUNT:
    case PROGRAM_KIND_ARGUMENT: *(uint32_t *)to = 0; break;
    case PROGRAM_KIND_LARGE: *(uint64_t *)to = 0; break;
    case PROGRAM_KIND_NUMBER: *(double *)to = (double)NAN; break;
    case PROGRAM_KIND_FORWARD: *(float *)to = NAN; break;
    case PROGRAM_KIND_NAME: *(int *)to = -1; break;
    case PROGRAM_KIND_SET: memset(to, 0, (size_t)option->most * sizeof(bool)); break;
    case PROGRAM_KIND_COUNTS: *(program_counts *)to = (program_counts){0}; break;
    case PROGRAM_KIND_FORWARDS: *(program_floats *)to = (program_floats){0}; break;
    case PROGRAM_KIND_TEXTS: *(program_texts *)to = (program_texts){0}; break;
    case PROGRAM_KIND_HEADING:
    case PROGRAM_KIND_OTHER: break;
    }
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static bool get_count(const program_option *option, const char *value, uint64_t *out, char *rule)
{
    snprintf(rule, PROGRAM_RULE_SIZE, "must be a whole number from %.0f to %.0f", option->least, option->most);
    return program_parse_count(value, out) && (double)*out >= option->least && (double)*out <= option->most;
}

static bool set_count(const program_option *option, const char *value, void *to, char *rule)
{
    uint64_t number;
    if (!get_count(option, value, &number, rule))
        return false;
    *(uint32_t *)to = (uint32_t)number;
    return true;
}

static bool set_large(const program_option *option, const char *value, void *to, char *rule)
{
    uint64_t number;
    if (!get_count(option, value, &number, rule))
        return false;
    *(uint64_t *)to = number;
    return true;
}

static bool set_number(const program_option *option, const char *value, void *to, char *rule)
{
    double number;
    const double least = option->least, most = option->most;
    const char *const format =
        option->above ? "must be a number above %.10g, at most %.10g" : "must be a number from %.10g to %.10g";
    snprintf(rule, PROGRAM_RULE_SIZE, format, least, most);
    if (!program_parse_number(value, &number) || number < least || number > most || (option->above && number <= least))
        return false;
    *(double *)to = number;
    return true;
}

/* "group_eps" of "--group-eps". */
static const smoe_forward_number *find_forward(const char *option)
{
    char name[32];
    snprintf(name, sizeof name, "%s", option + strlen("--"));
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : *c;
    return smoe_forward_number_find(name);
}

static bool set_forward(const program_option *option, const char *value, void *to, char *rule)
{
    const smoe_forward_number *known = find_forward(option->name);
    double number;
    snprintf(rule, PROGRAM_RULE_SIZE, "must be a number, %s",
             known ? known->rule : "and the library has none of this name");
    /* The library works in float32: what rounds to 0 there is 0. */
    if (!known || !program_parse_number(value, &number) || fabs(number) > FLT_MAX ||
        !smoe_forward_number_allows(known, (float)number))
        return false;
    *(float *)to = (float)number;
    return true;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static bool read_count(const program_option *option, const char *text, double *out, char *rule)
{
    uint64_t number;
    if (!get_count(option, text, &number, rule))
        return false;
    *out = (double)number;
    return true;
}

static bool read_forward(const program_option *option, const char *text, double *out, char *rule)
{
    float number;
    if (!set_forward(option, text, &number, rule))
        return false;
    *out = (double)number;
    return true;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const char *activation_name(int index)
{
    return smoe_activation_name((smoe_activation)index);
}

static bool find_activation(const char *text, int *index)
{
    smoe_activation found;
    if (!smoe_activation_find(text, &found))
        return false;
    *index = (int)found;
    return true;
}

static const char *type_name(int index)
{
    return smoe_type_short_name((smoe_type)index);
}

static bool find_type(const char *text, int *index)
{
    smoe_type found;
    if (!smoe_type_find(text, &found))
        return false;
    *index = (int)found;
    return true;
}

/* They come before the other types (smoe/weights.h). */
static const char *rounded_type_name(int index)
{
    return smoe_weights_can_pack((smoe_type)index) ? type_name(index) : NULL;
}

static bool find_rounded_type(const char *text, int *index)
{
    return find_type(text, index) && smoe_weights_can_pack((smoe_type)*index);
}

const program_names program_activations = {activation_name, find_activation};
const program_names program_types = {type_name, find_type};
const program_names program_rounded_types = {rounded_type_name, find_rounded_type};

void program_list_names(const program_names *names, char *text, size_t size)
{
    const int count = count_names(names);
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 names->name(i));
}

static bool find_name(const program_option *option, const char *value, int *index, char *rule)
{
    const program_names *names = option->names;
    for (*index = 0; names->name(*index); ++*index)
        if (strcmp(names->name(*index), value) == 0)
            return true;
    if (names->find && names->find(value, index))
        return true;
    const size_t used = (size_t)snprintf(rule, PROGRAM_RULE_SIZE, "must be ");
    program_list_names(names, rule + used, PROGRAM_RULE_SIZE - used);
    return false;
}

static bool set_name(const program_option *option, const char *value, void *to, char *rule)
{
    int index;
    if (!find_name(option, value, &index, rule))
        return false;
    *(int *)to = index;
    return true;
}

static bool set_member(const program_option *option, const char *name, void *to, char *rule)
{
    int index;
    if (!find_name(option, name, &index, rule))
        return false;
    snprintf(rule, PROGRAM_RULE_SIZE, "must be one of the first %.0f names", option->most);
    if (index >= option->most)
        return false;
    ((bool *)to)[index] = true;
    return true;
}

static void set_all(const program_option *option, void *to)
{
    for (int i = 0; i < option->most && option->names->name(i); i++)
        ((bool *)to)[i] = true;
}

static bool set_members(const program_option *option, const char *value, void *to, char *rule)
{
    char name[PROGRAM_ITEM_SIZE];
    while (program_next_item(&value, name)) {
        if (strcmp(name, "all") == 0)
            set_all(option, to);
        else if (!set_member(option, name, to, rule))
            return false;
    }
    return true;
}

/* ---- all kinds --------------------------------------------------------------------------------------------------- */

static bool set_text(const char *value, const char **to, char *rule)
{
    *to = value;
    snprintf(rule, PROGRAM_RULE_SIZE, "must not be empty");
    return *value != '\0';
}

static bool add_text(const char *value, program_texts *to, char *rule)
{
    snprintf(rule, PROGRAM_RULE_SIZE, "must be given %d times at most", (int)PROGRAM_MAX_VALUES);
    return to->count < PROGRAM_MAX_VALUES && set_text(value, &to->values[to->count++], rule);
}

bool program_set_value(const program_option *option, const char *value, void *options, char rule[PROGRAM_RULE_SIZE])
{
    void *to = member(option, options);
    switch (option->kind) {
    case PROGRAM_KIND_HEADING: break;
    case PROGRAM_KIND_FLAG: *(bool *)to = true; break;
    case PROGRAM_KIND_TEXT: return set_text(value, to, rule);
    case PROGRAM_KIND_COUNT: return set_count(option, value, to, rule);
    case PROGRAM_KIND_LARGE: return set_large(option, value, to, rule);
    case PROGRAM_KIND_NUMBER: return set_number(option, value, to, rule);
    case PROGRAM_KIND_FORWARD: return set_forward(option, value, to, rule);
    case PROGRAM_KIND_NAME: return set_name(option, value, to, rule);
    case PROGRAM_KIND_SET: return set_members(option, value, to, rule);
    case PROGRAM_KIND_COUNTS: return program_set_list(option, value, read_count, to, rule);
    case PROGRAM_KIND_FORWARDS: return program_set_list(option, value, read_forward, to, rule);
    case PROGRAM_KIND_TEXTS: return add_text(value, to, rule);
    case PROGRAM_KIND_ARGUMENT: ++*(uint32_t *)to; break; /* program_read keeps the value */
    case PROGRAM_KIND_OTHER: return option->set(option, value, options, rule);
    }
    return true;
}

const program_option *program_option_at(const program_desc *program, size_t index)
{
    for (size_t i = 0; i < PROGRAM_MAX_TABLES; i++) {
        if (index < program->tables[i].count)
            return &program->tables[i].options[index];
        index -= program->tables[i].count;
    }
    return NULL;
}
