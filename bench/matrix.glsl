// The most products of cooperative matrices that a device makes: each subgroup multiplies each of A_COUNT matrices with
// each of B_COUNT others, in registers, round after round, and adds each pair's products to a sum of its own. A is the
// type of the factors' elements, C that of the sums'.
//
// Nothing can be folded, also not by a driver that takes matrices apart. No two elements of a matrix are known to be
// the same, and the factors change in a round that never comes, which no compiler can know.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 16;
layout(constant_id = 2) const uint COLUMNS = 16;
layout(constant_id = 3) const uint DEPTH = 16;
layout(constant_id = 4) const uint A_COUNT = 2;
layout(constant_id = 5) const uint B_COUNT = 4;

layout(set = 0, binding = 1) writeonly buffer Out { float sums[]; };

layout(push_constant) uniform Push {
    uint count; // rounds
    float factor;
    float step_;
};

#define MatrixA coopmat<A, gl_ScopeSubgroup, ROWS, DEPTH, gl_MatrixUseA>
#define MatrixB coopmat<A, gl_ScopeSubgroup, DEPTH, COLUMNS, gl_MatrixUseB>
#define Sum coopmat<C, gl_ScopeSubgroup, ROWS, COLUMNS, gl_MatrixUseAccumulator>

void main()
{
    const uint lane = gl_LocalInvocationIndex, never = floatBitsToUint(factor);
    MatrixA a[A_COUNT];
    MatrixB b[B_COUNT];
    Sum c[A_COUNT * B_COUNT];
    [[unroll]] for (uint j = 0; j < A_COUNT; j++)
        for (uint i = 0; i < a[j].length(); i++)
            a[j][i] = A(factor * float((lane + 3 * i + j) % 5));
    [[unroll]] for (uint j = 0; j < B_COUNT; j++)
        for (uint i = 0; i < b[j].length(); i++)
            b[j][i] = A(step_ * float((lane + 5 * i + j) % 7));
    [[unroll]] for (uint j = 0; j < A_COUNT * B_COUNT; j++)
        for (uint i = 0; i < c[j].length(); i++)
            c[j][i] = C(float((lane + i + j) % 3));

    [[dont_unroll]] for (uint i = 0; i < count; i++) {
        if (i == never)
            [[unroll]] for (uint j = 0; j < A_COUNT; j++)
                a[j] = MatrixA(A(step_));
        [[unroll]] for (uint j = 0; j < A_COUNT * B_COUNT; j++)
            c[j] = coopMatMulAdd(a[j / B_COUNT], b[j % B_COUNT], c[j]);
    }

    float total = 0; // of all elements: none may be left out
    [[unroll]] for (uint j = 0; j < A_COUNT * B_COUNT; j++)
        for (uint i = 0; i < c[j].length(); i++)
            total += float(c[j][i]);
    sums[gl_GlobalInvocationID.x] = total;
}
