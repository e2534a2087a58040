// The app's own work around the MoE layer, one invocation per token. All tensors lie in one buffer; begin is in floats.
#version 450

layout(local_size_x = 64) in;

layout(set = 0, binding = 0) buffer Everything { float data[]; };

layout(push_constant) uniform Push {
    uint tokens;
    uint width;
    uint residual_begin; // [tokens, width]
    uint begin;          // [tokens, width]: x before the layer, y after it
    uint after;          // 0: x = residual / rms(residual); 1: residual += y
};

void main()
{
    const uint token = gl_GlobalInvocationID.x;
    if (token >= tokens)
        return;
    const uint residual = residual_begin + token * width;
    const uint other = begin + token * width;
    float squares = 0;
    for (uint i = 0; i < width; i++)
        squares += data[residual + i] * data[residual + i];
    const float factor = inversesqrt(squares / float(width) + 1e-6);
    for (uint i = 0; i < width; i++) {
        if (after == 0)
            data[other + i] = data[residual + i] * factor;
        else
            data[residual + i] += data[other + i];
    }
}
