// A picture of ink on paper, or in colours.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(set = WINDOW_SET_FRAME, binding = WINDOW_BINDING_PICTURES) readonly buffer Pictures { float pictures[]; };

layout(location = 0) in vec2 place;
layout(location = 0) out vec4 result;

void main()
{
    const uvec2 pixel = min(uvec2(place * vec2(columns, rows)), uvec2(columns, rows) - 1);
    const uint at = start + pixel.y * columns + pixel.x, plane = rows * columns;
    const vec3 ink = mix(colour_of(WINDOW_PAPER), colour_of(WINDOW_INK), pictures[at]);
    result = vec4(classes == 3 ? vec3(pictures[at], pictures[at + plane], pictures[at + 2 * plane]) : ink, 1);
}
