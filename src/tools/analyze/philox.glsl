// Random numbers by counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC
// 2011).
// Only integers, so that every driver gives the same words; philox.c has the same for the host.
// A simulation's counter is (sample low, sample high, block within the sample, stream), its key the seed: no two blocks
// are ever equal.

uvec4 philox4x32(uvec4 counter, uvec2 key)
{
    for (int i = 0; i < 10; i++) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, counter.x, high0, low0);
        umulExtended(0xCD9E8D57u, counter.z, high1, low1);
        counter = uvec4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

// (0,1]: 0 never, for logarithms.
float philox_uniform(uint word)
{
    return (float(word) + 0.5) * (1.0 / 4294967296.0);
}

// cos and sin of 2 pi word / 2^32. By Taylor's series after reduction to an eighth of the circle, which is exact in
// integers:
// Vulkan lets a driver's own sin and cos be wrong by 2^-11, and 1e8 samples would show it. Error below 1e-7.
vec2 philox_circle(uint word)
{
    const uint quarter = (word + 0x20000000u) >> 30;
    const float x = float(int(word - (quarter << 30))) * (6.283185307179586 / 4294967296.0);
    const float xx = x * x;
    const float sine =
        x * (1.0 + xx * (-1.0 / 6.0 + xx * (1.0 / 120.0 + xx * (-1.0 / 5040.0 + xx * (1.0 / 362880.0)))));
    const float cosine = 1.0 + xx * (-0.5 + xx * (1.0 / 24.0 + xx * (-1.0 / 720.0 + xx * (1.0 / 40320.0))));
    const vec2 turned = (quarter & 1u) != 0u ? vec2(-sine, cosine) : vec2(cosine, sine);
    return (quarter & 2u) != 0u ? -turned : turned;
}

// Four independent N(0,1) from four words (Box and Muller 1958). None is beyond 6.8.
vec4 philox_normals(uvec4 words)
{
    const vec2 r = sqrt(-2.0 * log(vec2(philox_uniform(words.x), philox_uniform(words.z))));
    return vec4(r.x * philox_circle(words.y), r.y * philox_circle(words.w));
}
