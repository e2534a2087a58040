// Nuklear's triangles, by index.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "interface.h"

layout(push_constant) uniform Plot { WINDOW_PLOT_FIELDS(uint, float) };

layout(set = WINDOW_SET_FRAME, binding = WINDOW_BINDING_VERTICES) readonly buffer Vertices { uint vertices[]; };
layout(set = WINDOW_SET_FRAME, binding = WINDOW_BINDING_INDICES) readonly buffer Indices { uint indices[]; };

layout(location = 0) out vec2 place;
layout(location = 1) out vec4 colour;

void main()
{
    const uint vertex = indices[gl_VertexIndex] * WINDOW_VERTEX_WORDS;
    const vec2 position = vec2(uintBitsToFloat(vertices[vertex]), uintBitsToFloat(vertices[vertex + 1]));
    place = vec2(uintBitsToFloat(vertices[vertex + 2]), uintBitsToFloat(vertices[vertex + 3]));
    colour = unpackUnorm4x8(vertices[vertex + 4]);
    gl_Position = vec4(2 * position / vec2(screen_width, screen_height) - 1, 0, 1);
}
