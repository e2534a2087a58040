/* The command line of every program, from one table per program: options, what they take, where it goes, and help.
 *
 * -h, --help and --version are in every program. An option's value follows it, or stands behind "=" in the same
 * argument; "--" ends the options. Whatever cannot be obeyed gets one line on stderr, `PROGRAM: OPTION: RULE, is
 * "VALUE"`. */
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The exit statuses of every program. The largest of several files counts. */
enum {
    PROGRAM_OK = 0,
    /* the run failed: no device, or a lost one; a check, or validation; an output that could not be written */
    PROGRAM_FAILED = 1,
    PROGRAM_REFUSED = 2 /* before the work: a command line, or a layer, model or capability file, that cannot be
                         * followed; an output that may not be written */
};
enum { PROGRAM_RULE_SIZE = 384, PROGRAM_MAX_OPTIONS = 64, PROGRAM_MAX_TABLES = 3, PROGRAM_MAX_USAGES = 3 };

#define PROGRAM_LARGEST (UINT64_C(1) << 53) /* of whole numbers: a double holds every one up to it */

/* What an option takes, and the type of what receives it. Without the option and without a fallback that is the value
 * behind the colon. */
typedef enum program_kind {
    PROGRAM_KIND_HEADING,  /* no option: a line of its own in help */
    PROGRAM_KIND_FLAG,     /* bool: false */
    PROGRAM_KIND_TEXT,     /* const char *: NULL. Anything but "" */
    PROGRAM_KIND_COUNT,    /* uint32_t: 0. A whole number: "100", "1e2" */
    PROGRAM_KIND_LARGE,    /* uint64_t: 0. The same, at most PROGRAM_LARGEST */
    PROGRAM_KIND_NUMBER,   /* double: NaN. A finite decimal number */
    /* float: NaN. The number of smoe_forward_params that has the option's name, with "_" for "-" */
    PROGRAM_KIND_FORWARD,
    PROGRAM_KIND_NAME,     /* int: -1. The place of a name in `names` */
    /* bool[], one for each of `names`: all false. "f16,bf16"; may be given several times */
    PROGRAM_KIND_SET,
    /* program_counts: none. Whole numbers, lists and ranges of them: "1,8,64:8192*2", "1:16", "0:64+8"; may be given
     * several times */
    PROGRAM_KIND_COUNTS,
    PROGRAM_KIND_FORWARDS, /* program_floats: none. The same of what PROGRAM_KIND_FORWARD takes; "a:b" needs a step */
    PROGRAM_KIND_TEXTS,    /* program_texts: none. One each time: it may be given several times */
    /* uint32_t, how often it was given: 0. The value is one more argument. May be given several times */
    PROGRAM_KIND_ARGUMENT,
    PROGRAM_KIND_OTHER     /* what `set` makes of it: untouched. May be given several times */
} program_kind;

/* Values of lists, each once, in the order in which they are given. */
enum { PROGRAM_MAX_VALUES = 64 };
typedef struct program_counts {
    uint32_t count, values[PROGRAM_MAX_VALUES];
} program_counts;
typedef struct program_floats {
    uint32_t count;
    float values[PROGRAM_MAX_VALUES];
} program_floats;
typedef struct program_texts {
    uint32_t count;
    const char *values[PROGRAM_MAX_VALUES];
} program_texts;

/* Names that a value may be. */
typedef struct program_names {
    const char *(*name)(int index);             /* NULL past the last one */
    bool (*find)(const char *text, int *index); /* for other spellings than `name` has; NULL: none */
} program_names;

/* smoe_activation, and smoe_type by its short name: every one, and those that weights are rounded to */
extern const program_names program_activations, program_types, program_rounded_types;

typedef struct program_option program_option;

/* Takes a value. False, with the rule that it breaks: "must be ...". */
typedef bool program_set(const program_option *option, const char *value, void *options, char rule[PROGRAM_RULE_SIZE]);

struct program_option {
    const char *name;     /* "--seed" */
    const char *value;    /* what help calls the value: "N"; NULL for a flag */
    const char *about;    /* a line for help. The names of `names`, and the fallback in brackets, are added */
    program_kind kind;
    size_t offset;        /* of what receives it, in the program's struct of options */
    double least, most;   /* of numbers; most of a set: elements of the array */
    bool above;           /* least itself is not legal */
    const program_names *names;
    program_set *set;
    const char *fallback; /* the value where none is given, as on the command line; NULL: none */
};

/* A kind, and where it goes, checked to be of the kind's type: {"--seed", "N", "of the inputs", PROGRAM_COUNT(options,
 * seed, 0, 9)}. */
#define PROGRAM_INTO(type, kind_, structure, member) \
    .kind = (kind_), .offset = offsetof(structure, member) + 0 * sizeof(&((structure *)0)->member == (type *)0)
#define PROGRAM_FLAG(structure, member) PROGRAM_INTO(bool, PROGRAM_KIND_FLAG, structure, member)
#define PROGRAM_TEXT(structure, member) PROGRAM_INTO(const char *, PROGRAM_KIND_TEXT, structure, member)
#define PROGRAM_COUNT(structure, member, least_, most_) \
    PROGRAM_INTO(uint32_t, PROGRAM_KIND_COUNT, structure, member), .least = (least_), .most = (most_)
#define PROGRAM_LARGE(structure, member, least_, most_) \
    PROGRAM_INTO(uint64_t, PROGRAM_KIND_LARGE, structure, member), .least = (least_), .most = (most_)
#define PROGRAM_NUMBER(structure, member, least_, most_) \
    PROGRAM_INTO(double, PROGRAM_KIND_NUMBER, structure, member), .least = (least_), .most = (most_)
#define PROGRAM_FORWARD(structure, member) PROGRAM_INTO(float, PROGRAM_KIND_FORWARD, structure, member)
#define PROGRAM_COUNTS(structure, member, least_, most_) \
    PROGRAM_INTO(program_counts, PROGRAM_KIND_COUNTS, structure, member), .least = (least_), .most = (most_)
#define PROGRAM_FORWARDS(structure, member) PROGRAM_INTO(program_floats, PROGRAM_KIND_FORWARDS, structure, member)
#define PROGRAM_TEXTS(structure, member) PROGRAM_INTO(program_texts, PROGRAM_KIND_TEXTS, structure, member)
#define PROGRAM_NAME(structure, member, names_)                                                                        \
    PROGRAM_INTO(int, PROGRAM_KIND_NAME, structure, member), .names = (names_)
#define PROGRAM_SET(structure, member, names_)                                                                         \
    PROGRAM_INTO(bool, PROGRAM_KIND_SET, structure, member[0]),                                                        \
        .names = (names_), .most = sizeof(((structure *)0)->member)
#define PROGRAM_ARGUMENT(structure, member) PROGRAM_INTO(uint32_t, PROGRAM_KIND_ARGUMENT, structure, member)
#define PROGRAM_OTHER(set_) .kind = PROGRAM_KIND_OTHER, .set = (set_)
#define PROGRAM_HEADING(about_) {.about = (about_), .kind = PROGRAM_KIND_HEADING}

typedef struct program_table {
    const program_option *options;
    size_t count;
} program_table;
#define PROGRAM_TABLE(rows) {(rows), sizeof(rows) / sizeof(rows)[0]}

typedef struct program_desc {
    const char *name;                        /* "smoe-run" */
    const char *about;                       /* what it does, for help: a line or several */
    const char *usage[PROGRAM_MAX_USAGES];   /* each what stands behind the name: "[options] FILE..." */
    program_table tables[PROGRAM_MAX_TABLES];
    const char *details;                     /* the end of help; NULL: none */
    const char *argument;                    /* what an argument is: "FILE"; NULL: none is taken */
    uint32_t least_arguments, most_arguments;
} program_desc;

/* A command line that has been read. */
typedef struct program_line {
    const program_desc *program;
    /* of each option, counted over the tables, the last value, "" for a flag; NULL: not given */
    const char *given[PROGRAM_MAX_OPTIONS];
    char **arguments;                       /* [argument_count], in the array that was given, moved to its front */
    uint32_t argument_count;
    int status;                             /* to exit with, where program_read gives false */
} program_line;

/* Reads a command line into the program's struct of options. False where the program is to exit with line->status: help
 * or the version has been printed, or why the line cannot be obeyed. */
bool program_read(const program_desc *program, int count, char **arguments, void *options, program_line *line);

/* What was given for an option; "" for a flag, NULL where it was not given. */
const char *program_given(const program_line *line, const char *name);

/* The same, or else its fallback. */
const char *program_value(const program_line *line, const char *name);

/* Prints `PROGRAM: WHAT: RULE, is "VALUE"` on stderr, one line whatever is in WHAT and VALUE; without the last part if
 * value is NULL. Gives false. */
bool program_refuse(const program_desc *program, const char *what, const char *value, const char *rule);

/* The index-th option over all tables, headings too; NULL past the last one. */
const program_option *program_option_at(const program_desc *program, size_t index);

/* The names, as "f32, f16 or bf16"; what does not fit is cut off. */
void program_list_names(const program_names *names, char *text, size_t size);

#endif
