// A model's answers: logits = head(x + y) and their softmax at a temperature, one invocation per item.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "interface.h"

layout(local_size_x = WINDOW_HEAD_WORKGROUP) in;

layout(set = 0, binding = 0) readonly buffer X { float x[]; };       // [items,width]
layout(set = 0, binding = 1) readonly buffer Y { float y[]; };       // [items,width]
layout(set = 0, binding = 2) readonly buffer Head { float head[]; }; // weight [classes,width], bias [classes]
layout(set = 0, binding = 3) buffer Answers { float answers[]; };

layout(push_constant) uniform Push {
    uint items;
    uint width;
    uint classes;
    float temperature;
};

void main()
{
    const uint item = gl_GlobalInvocationID.x;
    if (item >= items)
        return;
    // No array of its own: what is indexed by a variable would lie outside the registers of some GPUs.
    const uint logits = item * classes, probabilities = (items + item) * classes;
    float largest = 0, sum = 0;
    for (uint c = 0; c < classes; c++) {
        float logit = head[classes * width + c];
        for (uint d = 0; d < width; d++)
            logit += head[c * width + d] * (x[item * width + d] + y[item * width + d]);
        answers[logits + c] = logit;
        largest = c == 0 ? logit : max(largest, logit);
    }
    for (uint c = 0; c < classes; c++)
        sum += exp((answers[logits + c] - largest) / temperature);
    for (uint c = 0; c < classes; c++)
        answers[probabilities + c] = exp((answers[logits + c] - largest) / temperature) / sum;
}
