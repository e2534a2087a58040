// The rectangle of a plot.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "interface.h"

layout(push_constant) uniform Plot { WINDOW_PLOT_FIELDS(uint, float) };

layout(location = 0) out vec2 place; // 0 .. 1

void main()
{
    place = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1);
    const vec2 position = vec2(x, y) + place * vec2(width, height);
    gl_Position = vec4(2 * position / vec2(screen_width, screen_height) - 1, 0, 1);
}
