// What every drawing shader of the results has: the buffers and the push block.
#include "interface.h"
#include "smoe/report.h"

layout(push_constant) uniform Plot { WINDOW_PLOT_FIELDS(uint, float) };

layout(set = WINDOW_SET_RESULTS, binding = WINDOW_BINDING_ANSWERS) readonly buffer Answers { float answers[]; };
layout(set = WINDOW_SET_RESULTS, binding = WINDOW_BINDING_REPORT) readonly buffer Report { uint report[]; };

const uint class_colours[WINDOW_CLASS_COLOUR_COUNT] = uint[](WINDOW_CLASS_COLOURS);

vec3 colour_of(uint rgb)
{
    return vec3(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255) / 255;
}

vec3 class_colour(uint which)
{
    return colour_of(class_colours[which % WINDOW_CLASS_COLOUR_COUNT]);
}

uint record_of(uint item)
{
    return item * SMOE_REPORT_STRIDE(max_active);
}

// The weight that an expert had for an item; 0 where it did not run.
float expert_weight(uint item, uint expert)
{
    const uint record = record_of(item);
    for (uint rank = 0; rank < report[record + SMOE_REPORT_ACTIVE]; rank++)
        if (report[record + SMOE_REPORT_IDS + rank] == expert)
            return uintBitsToFloat(report[record + SMOE_REPORT_WEIGHTS(max_active) + rank]);
    return 0;
}
