/* What the files of src/file share. The library stands on the public headers and on src/base/host.c, of which the
 * shared library has a hidden copy. */
#ifndef SMOE_FILE_INTERNAL_H
#define SMOE_FILE_INTERNAL_H

#include <smoe/layer_file.h>

#include <stdio.h>

#include "base/host.h"
#include "json.h"

/* The largest integer up to which every double is exact: numbers of JSON are doubles to other readers. */
#define SMOE_FILE_MAX_INTEGER (UINT64_C(1) << 53)

typedef struct smoe_file_host {
    smoe_host base;
    const char *path; /* for the log lines */
} smoe_file_host;

/* One tensor while its file is being read. */
typedef struct smoe_file_entry {
    smoe_tensor tensor; /* data stays NULL until it has been read */
    uint64_t begin, end; /* data_offsets: bytes after the header */
    bool readable;       /* a type and a rank that smoe_tensor can express; others are checked and passed over */
    bool blocks;         /* GGUF: blocks of `format` instead */
    smoe_weights_format format;
    const char *type_name; /* as the file's format spells it, static memory */
} smoe_file_entry;

typedef struct smoe_file_pair {
    const char *key, *value;
} smoe_file_pair;

struct smoe_layer_file {
    smoe_file_host host;
    char *path;
    char *header; /* the JSON text, or GGUF's texts; names, keys and values are unescaped in place and point into it */
    smoe_file_entry *entries;
    uint32_t entry_count;
    smoe_file_pair *metadata; /* sorted by key */
    uint32_t metadata_count;
    uint64_t data_offset; /* bytes before the first tensor's */
    uint32_t alignment;   /* GGUF: of the tensors' offsets */
};

/* False, and a log line, for an allocator with only one of its callbacks. */
bool smoe_file_host_init(smoe_file_host *host, const smoe_allocator *allocator, const smoe_log *log, const char *path);

/* Memory for size bytes, not zeroed, or NULL. Release takes NULL too. */
void *smoe_file_allocate(const smoe_file_host *host, uint64_t size);
void smoe_file_release(const smoe_file_host *host, void *memory);
/* Memory for folder and name after one another; NULL without memory. */
char *smoe_file_join(const smoe_file_host *host, const char *folder, const char *name);
/* Whether a path has the ending and something before it. */
bool smoe_file_ends_with(const char *path, const char *ending);

/* One log line "PATH: text" without control characters, whatever the file's names hold. Returns `result`. */
smoe_result smoe_file_fail(const smoe_file_host *host, smoe_result result, const char *format, ...) SMOE_PRINTF(3, 4);
/* The same line as a warning. */
void smoe_file_warn(const smoe_file_host *host, const char *format, ...) SMOE_PRINTF(2, 3);
/* FILE: "what: " and what the last call of the system left as its reason. */
smoe_result smoe_file_fail_for_reason(const smoe_file_host *host, const char *what);
smoe_result smoe_file_out_of_memory(const smoe_file_host *host, uint64_t size);

/* safetensors' types. size_bits is 0 for a name that safetensors does not have; type means something if readable. */
typedef struct smoe_file_type {
    const char *name;
    uint32_t size_bits;
    bool readable;
    smoe_tensor_type type;
} smoe_file_type;
smoe_file_type smoe_file_type_by_name(const char *name);
smoe_file_type smoe_file_type_of(smoe_tensor_type type);
/* The way back of smoe_tensor_type_weights. False, with *out as it was, for a number that is no type. */
bool smoe_file_tensor_type(smoe_type type, smoe_tensor_type *out);

/* ---- bytes of a file --------------------------------------------------------------------------------------------- */

typedef struct smoe_file_stream {
    FILE *stream;
    uint64_t size; /* of the whole file: no size that a file claims of its parts is allocated before it was compared */
} smoe_file_stream;

/* FILE, and a log line, for what is no regular file too; stream is NULL then. */
smoe_result smoe_file_stream_open(const smoe_file_host *host, smoe_file_stream *in, const char *path);
void smoe_file_stream_close(smoe_file_stream *in);
/* size bytes into new memory. "what" is for the log. */
smoe_result smoe_file_stream_take(const smoe_file_host *host, const smoe_file_stream *in, uint64_t size,
                                  const char *what, void **out);
/* Into memory that is there. "what": the tensor's name. */
smoe_result smoe_file_stream_read(const smoe_file_host *host, const smoe_file_stream *in, void *out, uint64_t size,
                                  const char *what);

/* Writes the file host->path: what `write` writes of `what`, or nothing. FILE. */
typedef bool (*smoe_file_writer)(FILE *stream, const void *what); /* false where the stream fails */
smoe_result smoe_file_create(const smoe_file_host *host, smoe_file_writer write, const void *what);

/* What a file that was given for another is, from its first bytes: the rest of a sentence. NULL for any but those that
 * people give. */
const char *smoe_file_known_format(const void *bytes, size_t size);

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* Text that is measured first (text NULL) and written the second time. */
typedef struct smoe_sink {
    char *text;
    uint64_t size;
} smoe_sink;
void smoe_sink_text(smoe_sink *out, const char *text);
/* In quotes, as JSON has it. */
void smoe_sink_string(smoe_sink *out, const char *text);

/* ---- safetensors and JSON ---------------------------------------------------------------------------------------- */

/* smoe_layer_file_open; with headers_only no tensor's data is read, and data is NULL. */
smoe_result smoe_file_open_tensors(const smoe_file_host *host, const char *path, bool headers_only,
                                   smoe_layer_file **out);
/* Sorts entries by name and metadata by key. FILE where two have the same. */
smoe_result smoe_file_sort_entries(smoe_layer_file *file);
smoe_result smoe_file_sort_metadata(smoe_layer_file *file);
/* The entry of that name among sorted ones; NULL: there is none. */
const smoe_file_entry *smoe_file_find_sorted(const smoe_layer_file *file, const char *name);
/* Sorts entries by where they lie. */
void smoe_file_sort_by_offset(smoe_layer_file *file);

/* A file of no contents for the path, which it copies; smoe_layer_file_close ends it. */
smoe_result smoe_file_begin(const smoe_file_host *host, const char *path, smoe_layer_file **out);
/* Also one that is not readable; NULL: none. */
const smoe_file_entry *smoe_file_find_entry(const smoe_layer_file *file, const char *name);

/* Fills entries and metadata from the header's text, header_size bytes. Types, shapes and offsets agree with one
 * another for each tensor; how the tensors lie in the file is the caller's to check. */
smoe_result smoe_file_parse_header(smoe_layer_file *file, uint64_t header_size);

/* The number of members of an object that is read for the first time, all of it checked, up to the end of its text. The
 * text is left as it is. FILE, and a line that says what is wrong with `what`. */
smoe_result smoe_json_count(const smoe_file_host *host, smoe_json_cursor object, const char *what, uint32_t *count);

/* ---- rules that layer files and checkpoints share ---------------------------------------------------------------- */

/* NULL where no pair has that key. */
const smoe_file_pair *smoe_file_find_pair(const smoe_file_pair *pairs, uint32_t count, const char *key);

/* Groups as smoe_plan_desc has them, named in the log as the file does. */
smoe_result smoe_file_check_groups(const smoe_file_host *host, const char *count_name, const char *top_name,
                                   uint32_t experts, uint32_t groups, uint32_t chosen, uint32_t top_k);

/* The metadata's key for the type of a matrix with scales: "experts.w1.type". */
enum { SMOE_FILE_TYPE_KEY_SIZE = 32 };
void smoe_file_type_key(const smoe_layer_tensor *tensor, char key[SMOE_FILE_TYPE_KEY_SIZE]);

/* "[8,24,n]", where "n" is `zero`, the text for a length of 0: "0", or in a shape that is asked for "n", any length
 * above 0. */
#define SMOE_FILE_SHAPE_SIZE 104
void smoe_file_write_shape(char text[SMOE_FILE_SHAPE_SIZE], const char *zero, uint32_t rank, const uint64_t *shape);
/* Whether a tensor has no elements. */
bool smoe_file_is_empty(uint32_t rank, const uint64_t *shape);

/* Strict decimal numbers, whatever the locale: the whole text or nothing. */
bool smoe_file_parse_integer(const char *text, uint64_t *out);
bool smoe_file_parse_number(const char *text, double *out);

#endif
