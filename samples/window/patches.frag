// A map of a picture's patches: a square for each, by its record.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(set = WINDOW_SET_RESULTS, binding = WINDOW_BINDING_PATCHES) readonly buffer Patches { uint patches[]; };

layout(location = 0) in vec2 place;
layout(location = 0) out vec4 result;

void main()
{
    const uvec2 patch_place = min(uvec2(place * vec2(columns, rows)), uvec2(columns, rows) - 1);
    const uint token = 1 + patch_place.y * columns + patch_place.x;
    const uint record = start + token * SMOE_REPORT_STRIDE(max_active);
    const uint ran = patches[record + SMOE_REPORT_ACTIVE];
    vec3 colour = class_colour(patches[record + SMOE_REPORT_IDS]);
    if (values == WINDOW_PATCHES_NEAR) {
        const float gap = uintBitsToFloat(patches[record + SMOE_REPORT_GAP]);
        colour = mix(colour_of(WINDOW_TRACK), colour_of(WINDOW_NEAR), 1 - clamp(gap / WINDOW_NEAR_GAP, 0, 1));
    } else if (values == WINDOW_PATCHES_EXTRA) {
        const float part = ran > count ? float(ran - count) / float(max_active - count) : 0;
        colour = mix(colour_of(WINDOW_TRACK), colour_of(WINDOW_EXPERT), part);
    }
    result = vec4(colour, 1);
}
