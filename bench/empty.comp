// Nothing: what a dispatch costs without any work. It could add, so that no driver leaves the dispatch out, but count
// is never 1.
#version 450

layout(local_size_x = 64) in;

layout(set = 0, binding = 1) buffer Out { uint sum; };

layout(push_constant) uniform Push {
    uint count;
};

void main()
{
    if (count == 1)
        atomicAdd(sum, 1);
}
