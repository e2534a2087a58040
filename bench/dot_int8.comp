// The most 8-bit dot products a device makes: each multiplies four pairs of signed bytes and adds a number. Eight
// independent chains per invocation, in registers; each product's bytes are those of the sum before.
#version 450
#extension GL_EXT_spirv_intrinsics : require

layout(local_size_x = 64) in;

layout(set = 0, binding = 1) writeonly buffer Out { float sums[]; };

layout(push_constant) uniform Push {
    uint count;  // rounds of 16 dot products per chain
    float factor;
    float step_;
};

// OpSDot of words that hold four bytes each (PackedVectorFormat4x8Bit, 0), as GL_EXT_integer_dot_product would give:
// older compilers do not know that.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot_packed(int a, int b, spirv_literal int format);

#define DOT(v) v = dot_packed(v, f, 0) + s;
#define ONCE DOT(a.x) DOT(a.y) DOT(a.z) DOT(a.w) DOT(b.x) DOT(b.y) DOT(b.z) DOT(b.w)
#define FOUR ONCE ONCE ONCE ONCE

void main()
{
    const int f = floatBitsToInt(factor), s = floatBitsToInt(step_);
    ivec4 a = ivec4(1, 2, 3, 4) * int(gl_GlobalInvocationID.x) + s;
    ivec4 b = a * 5 + 7;
    for (uint i = 0; i < count; i++) {
        FOUR FOUR FOUR FOUR
    }
    a += b;
    sums[gl_GlobalInvocationID.x] = float(a.x + a.y + a.z + a.w);
}
