#version 450
#extension GL_GOOGLE_include_directive : require
// The windows of a convolution as rows, so that a matrix multiplication can do the rest (interface.h has the layout). A
// patch embedding is a convolution whose stride is its size. Workgroup y: row y, and on in steps of the workgroups'
// number; row: an output pixel of an image.
// input: images, [channels, pixels] or [pixels, channels] by the strides; output: [rows, output_stride].
#include "interface.h"

layout(local_size_x_id = VISION_ID_WORKGROUP_SIZE) in;
layout(constant_id = VISION_ID_WORKGROUP_SIZE) const uint WORKGROUP_SIZE = 64;

layout(set = 0, binding = VISION_BINDING_INPUT, std430) readonly buffer Input { float data[]; } inputs;
layout(set = 0, binding = VISION_BINDING_OUTPUT, std430) writeonly buffer Output { float data[]; } outputs;

layout(push_constant) uniform Push { VISION_UNFOLD_FIELDS(uint, float) } push;

void main() {
    const uint window = push.size * push.size, out_pixels = push.out_width * push.out_width;
    const uint image_size = push.channels * push.in_width * push.in_width;
    for (uint row = gl_WorkGroupID.y; row < push.rows; row += gl_NumWorkGroups.y) {
        const uint image = row / out_pixels, pixel = row % out_pixels;
        const uint top = pixel / push.out_width * push.stride, left = pixel % push.out_width * push.stride;
        for (uint i = gl_LocalInvocationIndex; i < push.output_stride; i += WORKGROUP_SIZE) {
            // may wrap below 0
            const uint y = top + i % window / push.size - push.padding, x = left + i % push.size - push.padding;
            float value = 0;
            if (i < push.channels * window && y < push.in_width && x < push.in_width)
                value = inputs.data[image * image_size + i / window * push.channel_stride +
                                    (y * push.in_width + x) * push.pixel_stride];
            outputs.data[row * push.output_stride + i] = value;
        }
    }
}
