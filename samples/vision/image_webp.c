/* WebP by libwebp: a still picture, or the first frame of an animation on its canvas, as viewers show it that do not
 * move. */
#include "image_file.h"

#include <webp/decode.h>
#include <webp/demux.h>

/* Bytes per pixel that libwebp takes besides: its own pixels, of lossless coding and perhaps of alpha, and alpha. Its
 * tables of lossless codes come on top. No header says how many there are: 65,536 of 20 KiB at the most. */
#define LOSSLESS 5u
#define LINES 64u /* bytes per pixel of a line: of lossy coding, and what lossless coding keeps for its predictions */

enum { LOSSY = 1 }; /* of WebPBitstreamFeatures */

static void set_orientation(const WebPDemuxer *demuxer, image_file *file)
{
    WebPChunkIterator chunk;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk))
        file->orientation = image_orientation(chunk.chunk.bytes, chunk.chunk.size);
    WebPDemuxReleaseChunkIterator(&chunk);
}

/* What the frame does not cover stays transparent. */
static bool begin(image_file *file, const WebPIterator *frame, const WebPBitstreamFeatures *features)
{
    const bool covers = frame->width == (int)file->width && frame->height == (int)file->height;
    const bool plain = features->format == LOSSY && !features->has_alpha;
    file->channels = covers && !features->has_alpha ? 3 : 4;
    const uint64_t pixels = (uint64_t)frame->width * (uint64_t)frame->height;
    return image_begin(file, (plain ? 0 : LOSSLESS * pixels) + LINES * file->width, 0);
}

static bool read_frame(image_file *file, const WebPIterator *frame)
{
    WebPDecoderConfig config;
    const WebPData data = frame->fragment;
    if (!WebPInitDecoderConfig(&config) || WebPGetFeatures(data.bytes, data.size, &config.input) != VP8_STATUS_OK)
        return image_refuse(file, "is damaged (a wrong header of its pixels)");
    if (!begin(file, frame, &config.input))
        return false;
    const size_t stride = (size_t)file->width * file->channels;
    const size_t first = (size_t)frame->y_offset * stride + (size_t)frame->x_offset * file->channels;
    config.output.colorspace = file->channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = file->pixels + first;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * file->height - first;
    const VP8StatusCode status = WebPDecode(data.bytes, data.size, &config);
    if (status == VP8_STATUS_OUT_OF_MEMORY)
        return image_refuse(file, "cannot be read: out of memory");
    return status == VP8_STATUS_OK || image_refuse(file, "is damaged (its pixels cannot be decoded)");
}

bool image_decode_webp(image_file *file)
{
    const WebPData data = {file->bytes, file->size};
    WebPDemuxState state;
    WebPIterator frame = {0};
    WebPDemuxer *demuxer = WebPDemuxPartial(&data, &state);
    bool done = demuxer && state == WEBP_DEMUX_DONE;
    if (!done)
        image_refuse(file, demuxer ? "is damaged (it ends early)" : "is damaged (its parts do not fit together)");
    if (done && !WebPDemuxGetFrame(demuxer, 1, &frame))
        done = image_refuse(file, "is damaged (it has no pixels)");
    if (done) {
        file->width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
        file->height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
        set_orientation(demuxer, file);
        done = read_frame(file, &frame);
    }
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
    return done;
}
