/* Pictures of extreme sizes, made as small as a model has them. */
#include "common/cmocka_all.h"

#include <string.h>

#include "../../samples/vision/image.h"

#define SIDE 8u       /* of a model's images */
#define LONGEST 40960 /* that a shorter side becomes: 4096 pixels, a tenth of it */

/* The longest that can be resized, and longer ones, whose sizes do not fit into 32 bits. */
static void test_long_pictures(void **state)
{
    (void)state;
    static uint8_t pixels[3 * IMAGE_MAX_SIDE], out[3 * 512 * 512];
    static const struct {
        uint32_t length, shorter, size;
        bool fits;
    } cases[] = {{52428, LONGEST, SIDE, true},       {52429, LONGEST, SIDE, false},
                 {1047553, 4100, 512, false},        {IMAGE_MAX_SIDE, 2047, 512, true},
                 {IMAGE_MAX_SIDE, 2048, 512, false}, {IMAGE_MAX_SIDE, LONGEST, SIDE, false}};
    memset(pixels, 77, sizeof pixels);
    for (uint32_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const uint32_t length = cases[i / 2].length, size = cases[i / 2].size;
        const image picture = {.width = i % 2 ? length : 1, .height = i % 2 ? 1 : length, .pixels = pixels};
        const vision_model model = {
            .image_size = size, .crop_pct = size / (cases[i / 2].shorter + 0.5), .interpolation = VISION_BICUBIC};
        char reason[IMAGE_REASON_SIZE] = "";
        assert_int_equal(image_fit(&picture, &model, out, reason), cases[i / 2].fits);
        if (cases[i / 2].fits)
            for (size_t j = 0; j < (size_t)3 * size * size; j++)
                assert_int_equal(out[j], 77);
        else
            assert_non_null(strstr(reason, "is too long"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_pictures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
