/* What fuzzers run: each target takes any bytes, and ends the program where the library breaks one of its promises.
 * `scons fuzz` makes a program of each with libFuzzer; tests/fuzz/test_corpus.c runs the kept inputs everywhere. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smoe/checkpoint.h"
#include "smoe/smoe.h"

/* Whether the library took the input for a good one. The name is fuzz_NAME of the file, and NAME of the target. */
typedef bool fuzz_target(const uint8_t *data, size_t size);

fuzz_target fuzz_layer_file, fuzz_checkpoint, fuzz_capability_file, fuzz_selection, fuzz_pipeline_cache, fuzz_results,
    fuzz_picture, fuzz_weights_source, fuzz_gguf;

/* Ends the program, with a line, unless the condition holds. */
#define FUZZ_EXPECT(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fuzz_broken(__FILE__, __LINE__, #condition);                                                               \
    } while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *what);

/* A log that counts, and expects of every line that it is one of UTF-8 without control characters. */
typedef struct fuzz_lines {
    uint32_t errors, others;
} fuzz_lines;
smoe_log fuzz_log(fuzz_lines *lines);

/* A failure says one line of error, a success none. */
void fuzz_expect_told(const fuzz_lines *lines, smoe_result result);

/* Reads every byte, so that the address sanitizer sees it. */
void fuzz_read(const void *data, uint64_t size);

/* What a reader gave for a layer: the weights are those that the plan has, whole, and selection takes the plan. */
void fuzz_expect_layer(const smoe_plan_desc *plan, const smoe_forward_params *params, const smoe_host_weights *weights);

/* Reads a layer, NULL for the options that are there without; whether it could be read. */
bool fuzz_read_checkpoint(const smoe_checkpoint *checkpoint, uint32_t layer, const smoe_checkpoint_options *options,
                          fuzz_lines *lines);

#endif
