/* Random numbers on the host: philox.glsl in C. */
#include "analyze.h"

#include <math.h>

void analyze_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
    for (int i = 0; i < 10; i++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1],
                                  (uint32_t)a};
        for (int j = 0; j < 4; j++)
            c[j] = next[j];
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    for (int j = 0; j < 4; j++)
        out[j] = c[j];
}

static void draw_words(const analyze *a, uint32_t stream, uint64_t block, uint32_t out[4])
{
    const uint32_t key[2] = {(uint32_t)a->options.seed, (uint32_t)(a->options.seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, stream};
    analyze_philox4x32(counter, key, out);
}

static double uniform(uint32_t word)
{
    return (word + 0.5) / 4294967296.0;
}

void analyze_draw_normals(const analyze *a, uint32_t stream, float *out, size_t count)
{
    uint32_t words[4];
    for (size_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            draw_words(a, stream, i / 4, words);
        const uint32_t *pair = words + (i & 2);
        const double radius = sqrt(-2 * log(uniform(pair[0]))), angle = 6.283185307179586 / 4294967296.0 * pair[1];
        out[i] = (float)(radius * (i % 2 == 0 ? cos(angle) : sin(angle)));
    }
}

void analyze_draw_uniforms(const analyze *a, uint32_t stream, float *out, size_t count)
{
    uint32_t words[4];
    for (size_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            draw_words(a, stream, i / 4, words);
        /* 24 bits, so that float32 rounds none of them to 1. */
        out[i] = ((float)(words[i % 4] >> 8) + 0.5f) / 16777216.0f;
    }
}
