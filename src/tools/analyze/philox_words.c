/* philox: the words of the random number generator as the device computes them, beside the host's. */
#include "simulation.h"

#include "analyze_philox.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BLOCKS = 4096 };

static const program_option options[] = {
    {"--counter", "A,B,C,D",
     "the first block's counter: four hexadecimal words, the first two a number, low word first",
     PROGRAM_TEXT(analyze_options, counter), .fallback = "0,0,0,0"},
    {"--key", "A,B", "two hexadecimal words [the seed's]", PROGRAM_TEXT(analyze_options, key)},
    {"--blocks", "N", "of four words each; the counter's first two words count up",
     PROGRAM_COUNT(analyze_options, blocks, 1, MAX_BLOCKS), .fallback = "1"},
};

static bool parse_words(const char *text, size_t count, uint32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const size_t digits = strspn(text, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 8 || text[digits] != (i + 1 < count ? ',' : '\0'))
            return false;
        out[i] = (uint32_t)strtoul(text, NULL, 16);
        text += digits + 1;
    }
    return true;
}

static int compare(analyze *a, const uint64_t *words, const uint32_t counter[4], const uint32_t key[2], uint64_t blocks)
{
    uint64_t different = 0;
    char text[64];

    for (uint64_t i = 0; i < blocks; i++) {
        const uint64_t low = ((uint64_t)counter[1] << 32 | counter[0]) + i;
        const uint32_t at[4] = {(uint32_t)low, (uint32_t)(low >> 32), counter[2], counter[3]};
        uint32_t expected[4];
        analyze_philox4x32(at, key, expected);
        for (int j = 0; j < 4; j++)
            different += words[4 * i + (uint64_t)j] != expected[j];
        snprintf(text, sizeof text, "%08x %08x %08x %08x", (unsigned)words[4 * i], (unsigned)words[4 * i + 1],
                 (unsigned)words[4 * i + 2], (unsigned)words[4 * i + 3]);
        if (i == 0)
            analyze_put_text(a, "words", text, "words");
        else if (i < 8)
            fprintf(a->out, "       %s\n", text);
    }
    analyze_put_value(a, "blocks", (double)blocks, NULL);
    analyze_put_value(a, "different", (double)different, "words that differ from the host's");
    return different == 0 ? PROGRAM_OK : analyze_fail("the device computes other random numbers than the host");
}

static int run(analyze *a)
{
    const uint64_t blocks = a->options.blocks;
    const simulation_desc desc = {
        analyze_philox_spirv, sizeof analyze_philox_spirv, {0}, 0, 4 * SIMULATION_MIN_BATCH, 1};
    uint32_t counter[4], key[2] = {(uint32_t)a->options.seed, (uint32_t)(a->options.seed >> 32)};
    simulation *s;

    if (!parse_words(a->options.counter, 4, counter))
        return analyze_refuse_option(a, "--counter", "must be four hexadecimal words with commas between");
    if (program_given(&a->line, "--key") && !parse_words(a->options.key, 2, key))
        return analyze_refuse_option(a, "--key", "must be two hexadecimal words with a comma between");
    uint64_t *words = calloc(4 * MAX_BLOCKS, sizeof *words);
    if (!words)
        return analyze_fail("no host memory");
    const float halves[] = {(float)(counter[2] & 0xffff), (float)(counter[2] >> 16)};
    a->options.seed = (uint64_t)key[1] << 32 | key[0];
    int status = simulation_create(a, &desc, &s);
    if (status == PROGRAM_OK) {
        simulation_set_parameters(s, halves, 2);
        simulation_expect(a, (double)blocks);
        /* Each batch writes the words of its own samples from the first counter on. */
        for (uint64_t done = 0; status == PROGRAM_OK && done < blocks; done += SIMULATION_MIN_BATCH) {
            const uint64_t left = blocks - done, first = ((uint64_t)counter[1] << 32 | counter[0]) + done;
            status = simulation_run(s, counter[3], first, left < SIMULATION_MIN_BATCH ? left : SIMULATION_MIN_BATCH,
                                    words + 4 * done);
        }
    }
    if (status == PROGRAM_OK)
        status = compare(a, words, counter, key, blocks);
    simulation_destroy(s);
    free(words);
    return status;
}

const analyze_command analyze_philox = {
    "philox", "the random numbers of the simulations, word by word, beside the host's", run,
    PROGRAM_TABLE(options), ANALYZE_NO_FILE,
};
