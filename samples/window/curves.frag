// A line with smooth edges, in the colour of its class.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(location = 0) in float across;
layout(location = 1) flat in uint which;
layout(location = 0) out vec4 result;

void main()
{
    result = vec4(class_colour(which), clamp(line + 0.5 - abs(across), 0, 1));
}
