/* PNG (ISO/IEC 15948:2004), as chunks. stb_image looks at no checksum and takes colours beyond the end of a palette
 * from memory that was never written: here the checksums are compared, the palette is filled up, and what has no say in
 * the pixels goes. */
#include "image_file.h"

#include <string.h>

#define SIGNATURE 8u
#define CHUNK 12u /* bytes around a chunk's data: its length, type and checksum */
#define PALETTE (3 * 256u)
#define DEFLATE 1032u /* no deflated byte stands for more */

typedef struct chunk {
    const uint8_t *type, *data;
    uint32_t length;
} chunk;

typedef struct png {
    image_file *file;
    uint8_t *out;
    const uint8_t *in, *end;
    uint32_t depth, colour, palette;  /* palette: colours that the file has */
    uint8_t *idat;                    /* the chunk that all IDAT chunks become, once there is one */
    uint64_t packed;                  /* bytes in it */
    bool interlaced, transparent;     /* transparent: tRNS was there */
} png;

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_big_endian(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t crc32(const uint8_t *bytes, size_t size)
{
    static uint32_t table[256];
    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? 0xedb88320u ^ value >> 1 : value >> 1;
        table[i] = value;
    }
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
    return ~crc;
}

static bool is(const chunk *c, const char *type)
{
    return memcmp(c->type, type, 4) == 0;
}

/* A chunk's frame and data, padded with zeros to `length`; its checksum stays 0, for nobody looks. */
static void emit(png *p, const chunk *c, uint32_t length)
{
    put_big_endian(p->out, length);
    memmove(p->out + 4, c->type, 4);
    memmove(p->out + 8, c->data, c->length < length ? c->length : length);
    if (c->length < length)
        memset(p->out + 8 + c->length, 0, length - c->length);
    memset(p->out + 8 + length, 0, 4);
    p->out += CHUNK + length;
}

static bool next(png *p, chunk *c)
{
    const size_t left = (size_t)(p->end - p->in);
    c->length = left >= CHUNK ? big_endian(p->in) : 0;
    if (left < CHUNK || left - CHUNK < c->length)
        return image_refuse(p->file, "is damaged (it ends early)");
    c->type = p->in + 4;
    c->data = p->in + 8;
    p->in += CHUNK + c->length;
    return true;
}

static bool read_header(png *p, const chunk *c)
{
    static const uint32_t channels[7] = {1, 0, 3, 1, 2, 0, 4};
    static const uint32_t depths[7] = {1 | 2 | 4 | 8 | 16, 0, 8 | 16, 1 | 2 | 4 | 8, 8 | 16, 0, 8 | 16};
    image_file *f = p->file;
    f->width = big_endian(c->data);
    f->height = big_endian(c->data + 4);
    p->depth = c->data[8];
    p->colour = c->data[9];
    p->interlaced = c->data[12] == 1;
    if (f->width == 0 || f->height == 0 || f->width > INT32_MAX || f->height > INT32_MAX || p->colour > 6 ||
        p->depth == 0 || (p->depth & (p->depth - 1)) != 0 || (depths[p->colour] & p->depth) == 0 || c->data[10] != 0 ||
        c->data[11] != 0 || c->data[12] > 1)
        return image_refuse(f, "is damaged (a header of no meaning)");
    f->channels = channels[p->colour];
    emit(p, c, c->length);
    return true;
}

/* stb_image refuses a transparency that does not suit the pixels; other readers, and this one, do without it. */
static bool suits(const png *p, const chunk *c)
{
    return p->colour == 3 ? p->palette > 0 && c->length <= p->palette
                          : (p->colour & 4) == 0 && c->length == 2 * p->file->channels;
}

static bool read_chunk(png *p, const chunk *c)
{
    const bool palette = is(c, "PLTE") && p->colour == 3, idat = is(c, "IDAT");
    const bool transparency = is(c, "tRNS") && suits(p, c) && !p->transparent;
    if (is(c, "eXIf")) {
        p->file->orientation = image_orientation(c->data, c->length);
    } else if (idat) {
        if (!p->idat) {
            p->idat = p->out;
            emit(p, c, c->length);
        } else {
            memmove(p->out - 4, c->data, c->length); /* where the checksum would be */
            p->out += c->length;
        }
        p->packed += c->length;
    } else if (palette && (p->idat || p->palette || c->length == 0 || c->length % 3 != 0 || c->length > PALETTE)) {
        return image_refuse(p->file, "is damaged (a wrong palette)");
    } else if (palette) {
        p->palette = c->length / 3;
        emit(p, c, PALETTE);
    } else if (transparency && !p->idat) {
        p->transparent = true;
        emit(p, c, c->length);
    } else if ((c->type[0] & 0x20) == 0 && !is(c, "PLTE") && !is(c, "IEND")) {
        return image_refuse(p->file, "is a PNG with parts that are not known");
    }
    return true;
}

/* What the decoder will have in memory at once: the file's bytes, unpacked, and the pixels, with the copies it makes of
 * them. */
static uint64_t memory_needed(const png *p, uint64_t unpacked)
{
    const image_file *f = p->file;
    const uint64_t pixels = (uint64_t)f->width * f->height;
    const uint64_t copies = p->colour == 3 ? 1 + f->channels : f->channels * (p->depth == 16 ? 2 : 1);
    return p->interlaced ? 2 * unpacked + pixels * copies * 3 / 2 : unpacked + pixels * copies;
}

static bool finish(png *p, const chunk *iend)
{
    image_file *f = p->file;
    if (!p->idat)
        return image_refuse(f, "is damaged (it has no pixels)");
    if (p->colour == 3 && p->palette == 0)
        return image_refuse(f, "is damaged (it has no palette)");
    put_big_endian(p->idat, (uint32_t)p->packed);
    memset(p->out - 4, 0, 4);
    emit(p, iend, 0);
    const uint64_t unpacked = f->height * (1 + ((uint64_t)f->width * p->depth * f->channels + 7) / 8);
    if (unpacked / DEFLATE > p->packed)
        return image_refuse(f, "is damaged (it claims %u x %u pixels, but is too small for them)", f->width, f->height);
    f->channels = (p->colour == 3 ? 3 : f->channels) + p->transparent;
    f->need = memory_needed(p, unpacked);
    f->new_size = (size_t)(p->out - f->memory);
    return true;
}

bool image_rewrite_png(image_file *file)
{
    png p = {.file = file, .out = file->memory, .in = file->memory + IMAGE_INSERTED};
    chunk c;
    p.end = p.in + file->size;
    memmove(p.out, p.in, SIGNATURE);
    p.out += SIGNATURE;
    p.in += SIGNATURE;
    if (!next(&p, &c))
        return false;
    if (is(&c, "CgBI"))
        return image_refuse(file, "is a PNG of Apple's own kind, which is not read");
    if (!is(&c, "IHDR") || c.length != 13)
        return image_refuse(file, "is damaged (it does not begin with a header)");
    for (bool first = true;; first = false) {
        if (crc32(c.type, 4 + (size_t)c.length) != big_endian(c.data + c.length))
            return image_refuse(file, "is damaged (a wrong checksum)");
        if (is(&c, "IEND"))
            return finish(&p, &c);
        if (first ? !read_header(&p, &c) : !read_chunk(&p, &c))
            return false;
        if (!next(&p, &c))
            return false;
    }
}
