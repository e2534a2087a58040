#version 450
#extension GL_EXT_control_flow_attributes : require
// More live values than any GPU has registers: what scons drivers must find. For test_drivers.py; never run.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) buffer Data { float data[]; };
layout(push_constant) uniform Push { uint rounds; } push;

const uint COUNT = 512;

void main() {
    float value[COUNT];
    [[unroll]] for (uint i = 0; i < COUNT; i++)
        value[i] = data[gl_GlobalInvocationID.x * COUNT + i];
    [[dont_unroll]] for (uint round = 0; round < push.rounds; round++)
        [[unroll]] for (uint i = 0; i < COUNT; i++)
            value[i] = fma(value[i], value[(i + COUNT / 2) % COUNT], value[(i + 1) % COUNT]);
    [[unroll]] for (uint i = 0; i < COUNT; i++)
        data[gl_GlobalInvocationID.x * COUNT + i] = value[i];
}
