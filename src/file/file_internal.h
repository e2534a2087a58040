/* What the files of src/file share. The library stands on the public headers alone: it carries its own host memory and log, so
 * that it also links as a shared object beside libsmoe. */
#ifndef SMOE_FILE_INTERNAL_H
#define SMOE_FILE_INTERNAL_H

#include <smoe/layer_file.h>

#if defined(__GNUC__)
#define SMOE_FILE_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))
#else
#define SMOE_FILE_PRINTF(text, arguments)
#endif

/* The largest integer up to which every double is exact: cJSON's numbers are doubles. */
#define SMOE_FILE_MAX_INTEGER 9007199254740991.0

typedef struct smoe_file_host {
    smoe_allocator allocator;
    smoe_log log;
    const char *path; /* for the log lines */
} smoe_file_host;

/* One tensor while its file is being read. */
typedef struct smoe_file_entry {
    smoe_tensor tensor; /* data stays NULL until it has been read */
    uint64_t begin, end; /* data_offsets: bytes after the header */
    bool readable;       /* a type and a rank that smoe_tensor can express; others are checked and passed over */
} smoe_file_entry;

typedef struct smoe_file_pair {
    const char *key, *value;
} smoe_file_pair;

struct smoe_layer_file {
    smoe_file_host host;
    char *path;
    char *header; /* the JSON text; names, keys and values are unescaped in place and point into it */
    smoe_file_entry *entries;
    uint32_t entry_count;
    smoe_file_pair *metadata; /* sorted by key */
    uint32_t metadata_count;
};

/* False, and a log line, for an allocator with only one of its callbacks. */
bool smoe_file_host_init(smoe_file_host *host, const smoe_allocator *allocator, const smoe_log *log, const char *path);

/* Memory for size bytes, not zeroed, or NULL. Release takes NULL too. */
void *smoe_file_allocate(const smoe_file_host *host, uint64_t size);
void smoe_file_release(const smoe_file_host *host, void *memory);

/* One log line "PATH: text" without control characters, whatever the file's names hold. Returns `result`. */
smoe_result smoe_file_fail(const smoe_file_host *host, smoe_result result, const char *format, ...) SMOE_FILE_PRINTF(3, 4);
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

/* Fills entries and metadata from the header's text (header_size bytes and a NUL). Types, shapes and offsets agree with one
 * another for each tensor; how the tensors lie in the file is the caller's to check. */
smoe_result smoe_file_parse_header(smoe_layer_file *file, uint64_t header_size);

/* The members of one JSON object, in the text itself: which bytes are a member's name and which its value. Brackets and strings
 * are matched, nothing else is checked: cJSON sees each part on its own, so that its memory is bounded by one part. */
typedef struct smoe_json_span {
    char *text;
    size_t size;
} smoe_json_span;
typedef struct smoe_json_object {
    char *at, *end;
    bool started;
} smoe_json_object;
typedef enum smoe_json_step { SMOE_JSON_MEMBER, SMOE_JSON_END, SMOE_JSON_BROKEN } smoe_json_step;
/* On SMOE_JSON_BROKEN *reason says what is wrong. Where an object ends, at points behind its closing brace. */
smoe_json_step smoe_json_next(smoe_json_object *object, smoe_json_span *name, smoe_json_span *value, const char **reason);

/* Strict decimal numbers, whatever the locale: the whole text or nothing. */
bool smoe_file_parse_integer(const char *text, uint64_t *out);
bool smoe_file_parse_number(const char *text, double *out);

#endif
