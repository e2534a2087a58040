// How near a boundary the path is: the gap to the next expert, from paper (far) to orange (on the boundary).
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(location = 0) in vec2 place;
layout(location = 0) out vec4 result;

void main()
{
    const uint item = first + uint(place.x * float(count - 1) + 0.5);
    const float gap = uintBitsToFloat(report[record_of(item) + SMOE_REPORT_GAP]);
    const float near = 1 - clamp(gap / WINDOW_NEAR_GAP, 0, 1);
    result = vec4(mix(colour_of(WINDOW_TRACK), colour_of(WINDOW_NEAR), near), 1);
}
