// Bars of the item that is looked at: the probability of each class, or, without classes, the weight of each expert.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(location = 0) in vec2 place;
layout(location = 0) out vec4 result;

void main()
{
    const uint count = classes > 0 ? classes : experts;
    const uint row = min(uint(place.y * count), count - 1);
    const float value = classes > 0 ? answers[values + first * classes + row] : expert_weight(first, row);
    const vec3 colour = classes > 0 ? class_colour(row) : colour_of(WINDOW_EXPERT);
    const bool between = (place.y * count - row) * height / count < line;
    result = vec4(place.x < value ? colour : colour_of(WINDOW_TRACK), between ? 0 : 1);
}
