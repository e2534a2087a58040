/* JPEG (ITU-T T.81), as marker segments. stb_image (2.27 at least) trusts the lengths of Huffman tables and uses tables
 * that were never there: here they are checked, and what has no say in the pixels goes. */
#include "image_file.h"

#include <string.h>

#define MAX_SCANS                                                                                                      \
    200u /* each costs a pass over all pixels, however little of the file it takes; encoders write about ten */
#define ADOBE 12u      /* bytes of Adobe's segment, after its length */

enum {
    SOF0 = 0xc0, SOF2 = 0xc2, SOF3 = 0xc3, DHT = 0xc4, JPG = 0xc8, SOF9 = 0xc9, DAC = 0xcc, SOF15 = 0xcf,
    SOI = 0xd8, EOI = 0xd9, SOS = 0xda, DQT = 0xdb, DRI = 0xdd, APP0 = 0xe0, APP1 = 0xe1, APP14 = 0xee
};

typedef struct jpeg {
    image_file *file;
    uint8_t *out;
    const uint8_t *in, *end;
    uint32_t quantisation, dc, ac; /* bit n: table n is there */
    uint32_t components, seen;     /* seen: bit i: component i was in a scan */
    uint8_t id[4], table[4];       /* by component; table: of quantisation */
    uint32_t scans;
    uint64_t coded; /* bytes of all scans */
    int adobe;      /* its transform, -1 without */
    bool progressive, has_exif;
} jpeg;

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static bool damaged(jpeg *j, const char *how)
{
    return image_refuse(j->file, "is damaged (%s)", how);
}

/* data: after the length. */
static void emit(jpeg *j, uint8_t marker, const uint8_t *data, uint32_t size)
{
    j->out[0] = 0xff;
    j->out[1] = marker;
    j->out[2] = (uint8_t)((size + 2) >> 8);
    j->out[3] = (uint8_t)(size + 2);
    memmove(j->out + 4, data, size);
    j->out += 4 + size;
}

/* The next marker, whatever lies before it. 0: none. */
static uint8_t next_marker(jpeg *j)
{
    while (j->end - j->in >= 2) {
        if (j->in[0] == 0xff && j->in[1] != 0 && j->in[1] != 0xff) {
            j->in += 2;
            return j->in[-1];
        }
        j->in++;
    }
    return 0;
}

static bool read_quantisation(jpeg *j, const uint8_t *data, uint32_t size)
{
    for (uint32_t at = 0; at < size;) {
        const uint32_t number = data[at] & 15u, precision = data[at] >> 4, length = 1 + 64 * (precision + 1);
        if (number > 3 || precision > 1 || size - at < length)
            return damaged(j, "a wrong quantisation table");
        j->quantisation |= 1u << number;
        at += length;
    }
    return emit(j, DQT, data, size), true;
}

static bool read_huffman(jpeg *j, const uint8_t *data, uint32_t size)
{
    for (uint32_t at = 0; at < size;) {
        uint32_t count = 0;
        for (uint32_t i = 1; i <= 16 && size - at >= 17; i++)
            count += data[at + i];
        const uint32_t number = data[at] & 15u;
        if (number > 3 || data[at] >> 4 > 1 || count == 0 || count > 256 || size - at < 17 + count)
            return damaged(j, "a wrong Huffman table");
        *(data[at] >> 4 ? &j->ac : &j->dc) |= 1u << number;
        at += 17 + count;
    }
    return emit(j, DHT, data, size), true;
}

static bool read_application(jpeg *j, uint8_t marker, const uint8_t *data, uint32_t size)
{
    if (marker == APP0 && size >= 5 && memcmp(data, "JFIF", 5) == 0) {
        emit(j, marker, data, size);
    } else if (marker == APP1 && !j->has_exif && size >= 6 && memcmp(data, "Exif\0", 6) == 0) {
        j->file->orientation = image_orientation(data + 6, size - 6);
        j->has_exif = true;
    } else if (marker == APP14 && size >= ADOBE && memcmp(data, "Adobe", 5) == 0) {
        j->adobe = data[11];
    }
    return true;
}

static bool read_frame(jpeg *j, uint8_t marker, const uint8_t *data, uint32_t size)
{
    image_file *f = j->file;
    if (j->components)
        return damaged(j, "two frames");
    if (size < 6 || size != 6 + 3 * (uint32_t)data[5])
        return damaged(j, "a wrong frame header");
    if (marker > SOF2 || data[0] != 8)
        return image_refuse(f, "is a JPEG with %s, which is not read", marker >= SOF9  ? "arithmetic coding"
                                                                       : marker == SOF3 ? "lossless coding"
                                                                       : marker > SOF3  ? "hierarchical coding"
                                                                                        : "other than 8 bits");
    f->height = big_endian(data + 1);
    f->width = big_endian(data + 3);
    j->components = data[5];
    if (f->height == 0 || f->width == 0)
        return image_refuse(f, "is a JPEG that does not say its %s at its start", f->width ? "height" : "width");
    if (j->components != 1 && j->components != 3 && j->components != 4)
        return image_refuse(f, "is a JPEG with %u components; 1, 3 and 4 are read", j->components);
    uint32_t most_h = 1, most_v = 1, blocks = 0;
    for (uint32_t i = 0; i < j->components; i++) {
        const uint8_t *component = data + 6 + (size_t)3 * i;
        const uint32_t h = component[1] >> 4, v = component[1] & 15u;
        if (h < 1 || h > 4 || v < 1 || v > 4 || component[2] > 3)
            return damaged(j, "a wrong frame header");
        j->id[i] = component[0];
        j->table[i] = component[2];
        most_h = h > most_h ? h : most_h;
        most_v = v > most_v ? v : most_v;
        blocks += h * v;
    }
    j->progressive = marker == SOF2;
    f->channels = j->components == 1 ? 1 : 3;
    /* The planes, for progressive coding as 16-bit coefficients too, and the pixels. */
    const uint64_t units =
        ((f->width + 8 * most_h - 1) / (8 * most_h)) * (uint64_t)((f->height + 8 * most_v - 1) / (8 * most_v));
    f->need = units * blocks * 64 * (j->progressive ? 3 : 1) + (uint64_t)f->width * f->height * f->channels;
    emit(j, marker, data, size);
    return true;
}

/* Before the first scan: until then Adobe's segment may come, behind the frame header too. */
static void emit_adobe(jpeg *j)
{
    /* Four components without Adobe's segment are what Adobe writes all the same (so Pillow and browsers); with it, a
     * transform of 1 or more is the only other one there is (so libjpeg). */
    uint8_t adobe[ADOBE] = {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
    adobe[11] = (uint8_t)(j->adobe < 1 ? 0 : j->components == 4 ? 2 : 1);
    if (j->components == 4 || j->adobe >= 0)
        emit(j, APP14, adobe, ADOBE);
}

/* The header of a scan, whose tables must be there, and its coded data. */
static bool read_scan(jpeg *j, const uint8_t *data, uint32_t size)
{
    const uint32_t count = size > 0 ? data[0] : 0;
    if (j->components == 0 || count < 1 || count > j->components || size != 4 + 2 * count)
        return damaged(j, "a wrong scan header");
    if (++j->scans > MAX_SCANS)
        return image_refuse(j->file, "is a JPEG of more than %u scans, which is not read", MAX_SCANS);
    const uint32_t first = data[1 + 2 * count], refines = data[3 + 2 * count] >> 4;
    const bool dc = first == 0 && !refines, ac = !j->progressive || first > 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t tables = data[2 + 2 * i];
        uint32_t which = 0;
        while (which < j->components && j->id[which] != data[1 + 2 * i])
            which++;
        if (which == j->components)
            return damaged(j, "a scan of no component");
        if (tables >> 4 > 3 || (tables & 15) > 3 || (dc && !(j->dc >> (tables >> 4) & 1)) ||
            (ac && !(j->ac >> (tables & 15) & 1)) || !(j->quantisation >> j->table[which] & 1))
            return damaged(j, "a table is missing");
        j->seen |= 1u << which;
    }
    if (j->scans == 1)
        emit_adobe(j);
    emit(j, SOS, data, size);
    const uint8_t *begin = j->in, *at = begin;
    while ((at = memchr(at, 0xff, (size_t)(j->end - at))) != NULL && j->end - at >= 2 &&
           (at[1] == 0 || (at[1] >= 0xd0 && at[1] <= 0xd7)))
        at += 2;
    if (!at || j->end - at < 2)
        return damaged(j, "it ends early");
    memmove(j->out, begin, (size_t)(at - begin));
    j->out += at - begin;
    j->coded += (uint64_t)(at - begin);
    j->in = at;
    return true;
}

static bool finish(jpeg *j)
{
    image_file *f = j->file;
    if (j->scans == 0 || j->seen != (1u << j->components) - 1)
        return damaged(j, "some of its pixels are missing");
    /* No block takes less than a bit. */
    if ((uint64_t)((f->width + 7) / 8) * ((f->height + 7) / 8) > 8 * j->coded)
        return image_refuse(f, "is damaged (it claims %u x %u pixels, but is too small for them)", f->width, f->height);
    *j->out++ = 0xff;
    *j->out++ = EOI;
    f->new_size = (size_t)(j->out - f->memory);
    return true;
}

static bool read_segment(jpeg *j, uint8_t marker)
{
    const uint32_t length = j->end - j->in >= 2 ? big_endian(j->in) : 0;
    if (length < 2 || (size_t)(j->end - j->in) < length)
        return damaged(j, "it ends early");
    const uint8_t *data = j->in + 2;
    const uint32_t size = length - 2;
    j->in += length;
    if (marker == DHT)
        return read_huffman(j, data, size);
    if (marker == DQT)
        return read_quantisation(j, data, size);
    if (marker == SOS)
        return read_scan(j, data, size);
    if (marker >= SOF0 && marker <= SOF15 && marker != JPG && marker != DAC)
        return read_frame(j, marker, data, size);
    if (marker == DRI && size != 2)
        return damaged(j, "a wrong restart interval");
    if (marker == DRI)
        emit(j, marker, data, size);
    return read_application(j, marker, data, size);
}

bool image_rewrite_jpeg(image_file *file)
{
    jpeg j = {.file = file, .out = file->memory, .in = file->memory + IMAGE_INSERTED, .adobe = -1};
    j.end = j.in + file->size;
    *j.out++ = 0xff;
    *j.out++ = SOI;
    j.in += 2;
    for (;;) {
        const uint8_t marker = next_marker(&j);
        if (marker == 0)
            return damaged(&j, "it ends early");
        if (marker == EOI)
            return finish(&j);
        if (marker == SOI)
            return damaged(&j, "a second start");
        if ((marker < 0xd0 || marker > 0xd7) && marker != 1 && !read_segment(&j, marker)) /* those have no length */
            return false;
    }
}
