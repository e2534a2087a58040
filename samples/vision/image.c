#include "image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WEIGHT_BITS 22 /* of the fraction of a weight; 8-bit sums of weights of up to about 2 still fit into 32 bits */

/* Keys' cubic with a = -1/2, and the triangle. */
static double filter_value(vision_interpolation interpolation, double x)
{
    x = fabs(x);
    if (interpolation == VISION_BILINEAR)
        return x < 1 ? 1 - x : 0;
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* What one line of outputs takes from a line of inputs: for output i, `count` inputs from `first` on. */
typedef struct taps {
    uint32_t most;           /* per output */
    uint32_t *first, *count; /* [outputs] */
    int32_t *weights;        /* [outputs, most], scaled by 2^WEIGHT_BITS */
} taps;

static void taps_release(taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weights);
}

/* Outputs begin .. begin + size - 1 of `out_length`, from a line of in_length. Where the line shrinks, the filter
 * widens with it. */
static bool taps_make(taps *t, uint32_t in_length, uint32_t out_length, uint32_t begin, uint32_t size,
                      vision_interpolation interpolation)
{
    const double scale = (double)in_length / (double)out_length, stretch = scale > 1 ? scale : 1;
    const double support = (interpolation == VISION_BILINEAR ? 1.0 : 2.0) * stretch;

    t->most = (uint32_t)ceil(support) * 2 + 1;
    t->first = malloc(size * sizeof *t->first);
    t->count = malloc(size * sizeof *t->count);
    t->weights = malloc((size_t)size * t->most * sizeof *t->weights);
    double *exact = malloc(t->most * sizeof *exact);
    if (!t->first || !t->count || !t->weights || !exact)
        return free(exact), false;
    for (uint32_t i = 0; i < size; i++) {
        const double centre = ((double)(begin + i) + 0.5) * scale;
        const double low = floor(centre - support + 0.5), high = floor(centre + support + 0.5);
        const uint32_t first = low > 0 ? (uint32_t)low : 0;
        const uint32_t end = high < (double)in_length ? (uint32_t)high : in_length;
        double sum = 0;
        for (uint32_t j = first; j < end; j++)
            sum += exact[j - first] = filter_value(interpolation, ((double)j - centre + 0.5) * (1 / stretch));
        for (uint32_t j = 0; j < end - first; j++) {
            const double weight = exact[j] / sum * (double)(1 << WEIGHT_BITS);
            t->weights[(size_t)i * t->most + j] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        t->first[i] = first;
        t->count[i] = end - first;
    }
    free(exact);
    return true;
}

/* One output from inputs that lie `step` bytes apart. */
static uint8_t apply(const taps *t, uint32_t i, const uint8_t *inputs, size_t step)
{
    const int32_t *weights = t->weights + (size_t)i * t->most;
    int32_t sum = 1 << (WEIGHT_BITS - 1);
    for (uint32_t j = 0; j < t->count[i]; j++)
        sum += weights[j] * inputs[j * step];
    sum = sum < 0 ? 0 : sum >> WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* What is cut off or added, halved as Python rounds it: halves to even. */
static uint32_t half(uint32_t length)
{
    const uint32_t less = length / 2;
    return length % 2 ? less + less % 2 : less;
}

/* Where a picture lands in the square that a model sees. */
typedef struct placement {
    uint32_t width, height; /* the whole picture, resized */
    uint32_t left, top;     /* of it, what is seen begins here */
    uint32_t seen_width, seen_height;
    uint32_t x, y; /* and lies here in the square */
} placement;

/* The middle of a picture whose shorter side is `shorter`, as torchvision's Resize and CenterCrop have it. */
static bool place_crop(const image *picture, uint32_t shorter, uint32_t size, placement *out,
                       char reason[IMAGE_REASON_SIZE])
{
    const uint32_t width = picture->width, height = picture->height;
    const uint64_t longer = (uint64_t)shorter * (width > height ? width : height) / (width > height ? height : width);
    if (longer > INT32_MAX) {
        snprintf(reason, IMAGE_REASON_SIZE,
                 "is too long: resized to %u pixels one way, it has %llu the other; %d are the most", shorter,
                 (unsigned long long)longer, INT32_MAX);
        return false;
    }
    *out = (placement){.width = width <= height ? shorter : (uint32_t)longer,
                       .height = height <= width ? shorter : (uint32_t)longer,
                       .seen_width = size,
                       .seen_height = size};
    out->left = half(out->width - size);
    out->top = half(out->height - size);
    return true;
}

/* The whole picture, no side longer than `most`; as Pillow's ImageOps.contain, but for a side that would vanish. */
static placement place_whole(const image *picture, uint32_t most)
{
    const double width = (double)picture->width, height = (double)picture->height;
    placement p = {.width = most, .height = most};
    if (width > height)
        p.height = (uint32_t)fmax(1, rint(height / width * (double)most));
    else if (height > width)
        p.width = (uint32_t)fmax(1, rint(width / height * (double)most));
    p.seen_width = p.width;
    p.seen_height = p.height;
    return p;
}

/* In the middle of the square, as ImageOps.pad puts it. */
static placement place_pad(const image *picture, uint32_t size)
{
    placement p = place_whole(picture, size);
    p.x = half(size - p.width);
    p.y = half(size - p.height);
    return p;
}

/* What is seen of the picture, into its place in `out`, whose lines are out_width pixels long. */
static bool resize(const image *picture, const placement *p, vision_interpolation interpolation, uint8_t *out,
                   uint32_t out_width, char reason[IMAGE_REASON_SIZE])
{
    taps across = {0}, down = {0};
    uint8_t *lines = NULL; /* of the height that `down` reads, and already as wide as the output */

    bool done = taps_make(&across, picture->width, p->width, p->left, p->seen_width, interpolation) &&
                taps_make(&down, picture->height, p->height, p->top, p->seen_height, interpolation);
    const uint32_t last = p->seen_height - 1, top = done ? down.first[0] : 0,
                   bottom = done ? down.first[last] + down.count[last] : 0;
    const size_t row = 3 * (size_t)p->seen_width;
    done = done && (lines = malloc(row * (bottom - top))) != NULL;
    for (uint32_t y = top; done && y < bottom; y++)
        for (uint32_t x = 0; x < p->seen_width; x++)
            for (uint32_t c = 0; c < 3; c++)
                lines[(y - top) * row + 3 * x + c] =
                    apply(&across, x, picture->pixels + ((size_t)y * picture->width + across.first[x]) * 3 + c, 3);
    for (uint32_t y = 0; done && y < p->seen_height; y++)
        for (uint32_t x = 0; x < row; x++)
            out[((size_t)(p->y + y) * out_width + p->x) * 3 + x] =
                apply(&down, y, lines + (down.first[y] - top) * row + x, row);
    free(lines);
    taps_release(&across);
    taps_release(&down);
    if (!done)
        snprintf(reason, IMAGE_REASON_SIZE, "needs more memory than there is");
    return done;
}

/* The colour that the normalisation makes 0, or what comes nearest to it. */
static void fill(const vision_model *model, uint8_t *out)
{
    const size_t pixels = (size_t)model->image_size * model->image_size;
    for (size_t i = 0; i < 3 * pixels; i++) {
        const double value = floor((double)model->mean[i % 3] * 255 + 0.5);
        out[i] = (uint8_t)(value > 0 ? value < 255 ? value : 255 : 0);
    }
}

bool image_fit(const image *picture, const vision_model *model, uint8_t *out, char reason[IMAGE_REASON_SIZE])
{
    const uint32_t size = model->image_size;
    placement p = {.width = size, .height = size, .seen_width = size, .seen_height = size}; /* VISION_SQUASH */
    if (model->fit == VISION_CROP &&
        !place_crop(picture, (uint32_t)floor((double)size / model->crop_pct), size, &p, reason))
        return false;
    if (model->fit == VISION_PAD) {
        p = place_pad(picture, size);
        fill(model, out);
    }
    return resize(picture, &p, model->interpolation, out, size, reason);
}

bool image_shrink(const image *picture, uint32_t most, image *out, char reason[IMAGE_REASON_SIZE])
{
    const uint32_t longer = picture->width > picture->height ? picture->width : picture->height;
    const placement p = place_whole(picture, longer < most ? longer : most);
    *out = (image){.width = p.width, .height = p.height, .pixels = malloc(3 * (size_t)p.width * p.height)};
    if (!out->pixels)
        snprintf(reason, IMAGE_REASON_SIZE, "needs more memory than there is");
    else if (resize(picture, &p, VISION_BILINEAR, out->pixels, p.width, reason))
        return true;
    free(out->pixels);
    out->pixels = NULL;
    return false;
}

bool image_prepare(const image *picture, const vision_model *model, float *out, char reason[IMAGE_REASON_SIZE])
{
    const size_t pixels = (size_t)model->image_size * model->image_size;
    uint8_t *bytes = malloc(3 * pixels);
    if (!bytes)
        snprintf(reason, IMAGE_REASON_SIZE, "needs more memory than there is");
    const bool done = bytes && image_fit(picture, model, bytes, reason);
    for (uint32_t c = 0; done && c < 3; c++)
        for (size_t i = 0; i < pixels; i++)
            out[c * pixels + i] = ((float)bytes[3 * i + c] / 255.0f - model->mean[c]) / model->std[c];
    free(bytes);
    return done;
}
