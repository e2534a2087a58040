// The app's own work: to = factor * from. `from` is readonly, which is how synchronization validation tells reads from writes.
#version 450

layout(local_size_x = 64) in;

layout(set = 0, binding = 0) readonly buffer From { float from[]; };
layout(set = 0, binding = 1) writeonly buffer To { float to[]; };

layout(push_constant) uniform Push {
    uint count;
    float factor;
};

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    if (i < count)
        to[i] = factor * from[i];
}
