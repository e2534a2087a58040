// The app's own work: to = factor * from. Neither buffer says that it is readonly or writeonly: synchronization
// validation must tell reads from writes by what the shader does.
#version 450

layout(local_size_x = 64) in;

layout(set = 0, binding = 0) buffer From { float from[]; };
layout(set = 0, binding = 1) buffer To { float to[]; };

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
