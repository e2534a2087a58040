// Nuklear's triangles: their colour, times the coverage that the font's picture has there.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "interface.h"

layout(push_constant) uniform Plot { WINDOW_PLOT_FIELDS(uint, float) };

layout(set = WINDOW_SET_FRAME, binding = WINDOW_BINDING_GLYPHS) readonly buffer Glyphs { uint glyphs[]; };

layout(location = 0) in vec2 place;
layout(location = 1) in vec4 colour;
layout(location = 0) out vec4 result;

float coverage(ivec2 at)
{
    const uint index = uint(clamp(at.y, 0, int(rows) - 1)) * columns + uint(clamp(at.x, 0, int(columns) - 1));
    return float(glyphs[index / 4] >> 8 * (index % 4) & 255) / 255;
}

void main()
{
    // Bilinear, as a sampler would.
    const vec2 at = place * vec2(columns, rows) - 0.5;
    const ivec2 corner = ivec2(floor(at));
    const vec2 part = at - vec2(corner);
    const float above = mix(coverage(corner), coverage(corner + ivec2(1, 0)), part.x);
    const float below = mix(coverage(corner + ivec2(0, 1)), coverage(corner + ivec2(1, 1)), part.x);
    result = vec4(colour.rgb, colour.a * mix(above, below, part.y));
}
