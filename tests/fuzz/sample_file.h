/* Layer files for tests: a small, valid one that a test bends, and files of any bytes. */
#ifndef TEST_SAMPLE_FILE_H
#define TEST_SAMPLE_FILE_H

#include "common/random.h"
#include "common/record.h"
#include "smoe/layer_file.h"

#define SAMPLE_TENSORS 28
#define SAMPLE_METADATA 42
#define SAMPLE_WIDTHS 5
#define SAMPLE_TEXTS (SAMPLE_WIDTHS + 8) /* and matrices */
#define SAMPLE_TEXT 32

typedef struct sample_file {
    smoe_tensor tensors[SAMPLE_TENSORS];
    uint32_t tensor_count;
    const char *metadata[2 * SAMPLE_METADATA];
    uint32_t metadata_count; /* pairs */
    float values[512];       /* what every tensor's data points to, but those with scales */
    char texts[SAMPLE_TEXTS][SAMPLE_TEXT]; /* keys and values of sample_init_stored */
} sample_file;

/* E 3, D 4, H 5, k 2, T 6, with every bias. */
void sample_init(sample_file *sample, bool gated);

/* All that a layer can have but for what balanced groups exclude: gated, a cosine router of width 2, sigmoid gates, a
 * floor, 4 experts in 2 groups by their best, of latent width 3, a shared expert of hidden width 7. */
void sample_init_full(sample_file *sample);

/* What the full one lacks: 4 experts in 2 balanced groups, softmax_bias gates, an addend, factors of experts, every
 * number of gated experts and of the shared one. */
void sample_init_balanced(sample_file *sample);

/* The plain one with given routing, R 2, weights too, and the last of its experts the identity. */
void sample_init_given(sample_file *sample);

/* E 2, gated, a shared expert, every bias; matrices of types with scales, and every width the first from 32 on that
 * their blocks divide. */
void sample_init_stored(sample_file *sample, const smoe_matrix_types *types);

/* value NULL: takes the key out. */
void sample_set(sample_file *sample, const char *key, const char *value);

/* Sets a tensor's type and shape, its size following from them; new ones are added. rank 0xff: takes the tensor out. */
#define SAMPLE_ABSENT 0xffu
void sample_tensor(sample_file *sample, const char *name, smoe_tensor_type type, uint32_t rank, uint64_t n0,
                   uint64_t n1, uint64_t n2);

smoe_result sample_write(const sample_file *sample, const char *path);

/* The sample's layer, through a file that is gone again; the caller closes what it gets. NULL, after a line on stderr,
 * where smoe refuses it. */
smoe_layer_file *sample_layer(const sample_file *sample, smoe_plan_desc *plan, smoe_forward_params *params,
                              smoe_host_weights *weights);

/* What the file has beside its layer. */
smoe_layer_inputs sample_inputs(const smoe_layer_file *file);

/* Whether a file is taken, or refused, for a layer's as expected: with one line, that has its path and `text`. A wrong
 * answer is printed, with `what` was asked. */
bool sample_layer_gives(test_record *record, const char *path, smoe_result expected, const char *text,
                        const char *what);

/* A path that is this process's own, in the system's folder for temporary files; static memory, one per name. */
const char *sample_path(const char *name);

/* Bytes to a file and back; the caller frees what sample_read gives. */
bool sample_write_bytes(const char *path, const void *bytes, size_t size);
unsigned char *sample_read_bytes(const char *path, size_t *size);

/* Writes bytes to `path`, and opens it as a layer file. */
smoe_result sample_open_bytes(const char *path, const void *bytes, size_t size, const smoe_allocator *allocator,
                              const smoe_log *log, smoe_layer_file **out);

/* 8 bytes of length and the header, then data_size zero bytes. *size: of the result, which the caller frees. */
unsigned char *sample_raw(const char *header, size_t data_size, size_t *size);

/* An allocator that counts what is asked for, and fails at one call: {sample_allocate, sample_release, &counting}. */
typedef struct sample_counting {
    uint64_t calls, fail_at, live, live_bytes, peak_bytes;
} sample_counting;
void *sample_allocate(void *user, size_t size);
void sample_release(void *user, void *memory);

/* Damages bytes in one to four places: bits, words, pieces out or twice, an end. The new size, at most capacity. */
size_t sample_mutate(test_random *random, unsigned char *bytes, size_t size, size_t capacity);

#endif
