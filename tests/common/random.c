#include "random.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t test_seed(void)
{
    const char *text = getenv("SMOE_TEST_SEED");

    if (!text || !*text)
        return 1;
    return strcmp(text, "time") == 0 ? (uint64_t)time(NULL) : strtoull(text, NULL, 0);
}

/* splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 */
uint64_t test_random_bits(test_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

test_random test_random_make(uint64_t seed, uint64_t stream)
{
    test_random random = {seed};

    random.state = test_random_bits(&random) ^ (stream * 0xd1342543de82ef95u);
    return random;
}

uint32_t test_random_below(test_random *random, uint32_t count)
{
    return (uint32_t)((test_random_bits(random) >> 32) * count >> 32);
}

float test_random_uniform(test_random *random, float low, float high)
{
    return low + (high - low) * ((float)(test_random_bits(random) >> 40) * 0x1p-24f);
}

float test_random_eighths(test_random *random, uint32_t limit)
{
    return ((float)test_random_below(random, 16 * limit + 1) - 8.0f * (float)limit) / 8.0f;
}
