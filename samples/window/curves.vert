// A curve for each class (instance) along the path: six vertices for the line from one item to the next. A line is left
// out where the answer jumps: where both ends were routed hard, and to different experts.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "plot.glsl"

layout(location = 0) out float across; // pixels from the middle of the line
layout(location = 1) flat out uint which;

vec2 point(uint i)
{
    const float value = answers[values + (first + i) * classes + gl_InstanceIndex];
    return vec2(x + width * float(i) / float(count - 1), y + height * (1 - (value - low) / (high - low)));
}

bool has_expert(uint record, uint expert)
{
    for (uint rank = 0; rank < report[record + SMOE_REPORT_ACTIVE]; rank++)
        if (report[record + SMOE_REPORT_IDS + rank] == expert)
            return true;
    return false;
}

bool jumps_after(uint i)
{
    const uint a = record_of(first + i), b = record_of(first + i + 1);
    if (report[a + SMOE_REPORT_EPS] != 0 || report[b + SMOE_REPORT_EPS] != 0)
        return false;
    for (uint rank = 0; rank < report[a + SMOE_REPORT_ACTIVE]; rank++)
        if (!has_expert(b, report[a + SMOE_REPORT_IDS + rank]))
            return true;
    return false;
}

vec2 normal_of(vec2 from, vec2 to)
{
    const vec2 along = to - from;
    return normalize(vec2(-along.y, along.x));
}

void main()
{
    const uint segment = gl_VertexIndex / 6, corner = gl_VertexIndex % 6;
    const uint end = corner >= 1 && corner <= 3 ? 1 : 0; // two triangles of the line's rectangle
    const float side = corner >= 2 && corner <= 4 ? 1 : -1;
    which = gl_InstanceIndex;
    across = 0;
    gl_Position = vec4(2, 2, 0, 1); // all six alike: nothing
    if (jumps_after(segment))
        return;
    const vec2 from = point(segment), to = point(segment + 1);
    const vec2 own = normal_of(from, to);
    vec2 normal = own;
    const uint here = segment + end;
    const bool joined = end == 1 ? here + 1 < count && !jumps_after(here) : segment > 0 && !jumps_after(segment - 1);
    if (joined) {
        const vec2 other = end == 1 ? normal_of(to, point(here + 1)) : normal_of(point(segment - 1), from);
        const vec2 middle = normalize(own + other);
        normal = middle / max(dot(middle, own), 0.5);
    }
    across = side * (line + 1);
    const vec2 position = (end == 1 ? to : from) + across * normal;
    gl_Position = vec4(2 * position / vec2(screen_width, screen_height) - 1, 0, 1);
}
