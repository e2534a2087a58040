// Which experts ran along the path: a row for each expert, from paper to blue with its weight.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(location = 0) in vec2 place;
layout(location = 0) out vec4 result;

void main()
{
    const uint expert = min(uint(place.y * experts), experts - 1);
    const uint item = first + uint(place.x * float(count - 1) + 0.5); // the nearest, as the curves have them
    const float row = place.y * experts - expert;                     // 0 .. 1 within the row
    const bool between = row * height / experts < line;
    const vec3 colour = mix(colour_of(WINDOW_TRACK), colour_of(WINDOW_EXPERT), expert_weight(item, expert));
    result = vec4(between ? colour_of(WINDOW_PAPER) : colour, 1);
}
