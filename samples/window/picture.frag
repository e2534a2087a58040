// A picture of ink on paper.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(set = WINDOW_SET_FRAME, binding = WINDOW_BINDING_PICTURES) readonly buffer Pictures { float pictures[]; };

layout(location = 0) in vec2 place;
layout(location = 0) out vec4 result;

void main()
{
    const uvec2 pixel = min(uvec2(place * vec2(columns, rows)), uvec2(columns, rows) - 1);
    const float ink = pictures[start + pixel.y * columns + pixel.x];
    result = vec4(mix(colour_of(WINDOW_PAPER), colour_of(WINDOW_INK), ink), 1);
}
