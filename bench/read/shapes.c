/* Shapes of layers, in an order and in words. */
#include "results.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "program/order.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What was not given comes first. */
static int compare_given(double a, double b)
{
    const double left = isnan(a) ? -INFINITY : a, right = isnan(b) ? -INFINITY : b;
    return (left > right) - (left < right);
}

int results_compare_shapes(const results_shape *a, const results_shape *b)
{
    const uint32_t numbers[][2] = {{a->d_model, b->d_model},
                                   {a->d_hidden, b->d_hidden},
                                   {a->experts, b->experts},
                                   {a->top_k, b->top_k},
                                   {a->max_active, b->max_active},
                                   {a->projection_width, b->projection_width},
                                   {a->groups, b->groups},
                                   {a->top_groups, b->top_groups},
                                   {a->balanced_groups, b->balanced_groups},
                                   {a->shared_hidden, b->shared_hidden},
                                   {a->router_bias, b->router_bias},
                                   {a->selection_bias, b->selection_bias},
                                   {a->expert_scale, b->expert_scale},
                                   {a->shared_gate, b->shared_gate},
                                   {a->gated, b->gated},
                                   {a->renormalize, b->renormalize},
                                   {a->biases, b->biases}};
    const char *const texts[][2] = {
        {a->router, b->router}, {a->gate, b->gate}, {a->group_score, b->group_score}, {a->activation, b->activation}};
    const double given[][2] = {{a->gate_max, b->gate_max},
                               {a->up_limit, b->up_limit},
                               {a->gate_limit_after, b->gate_limit_after},
                               {a->gate_alpha, b->gate_alpha},
                               {a->up_offset, b->up_offset},
                               {a->renormalize_floor, b->renormalize_floor},
                               {a->renormalize_add, b->renormalize_add},
                               {a->shared_gate_max, b->shared_gate_max},
                               {a->shared_up_limit, b->shared_up_limit},
                               {a->shared_gate_limit_after, b->shared_gate_limit_after},
                               {a->given_eps, b->given_eps},
                               {a->given_group_eps, b->given_group_eps},
                               {a->given_expected_active, b->given_expected_active}};
    int order = 0;
    for (size_t i = 0; order == 0 && i < COUNT(numbers); i++)
        order = program_compare_numbers(numbers[i][0], numbers[i][1]);
    for (size_t i = 0; order == 0 && i < COUNT(texts); i++)
        order = strcmp(texts[i][0], texts[i][1]);
    for (size_t i = 0; order == 0 && i < COUNT(given); i++)
        order = compare_given(given[i][0], given[i][1]);
    return order;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
add(char text[RESULTS_ROUTING_SIZE], const char *format, ...)
{
    const size_t size = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    snprintf(text + size, RESULTS_ROUTING_SIZE - size, "%s", size ? ", " : "");
    vsnprintf(text + strlen(text), RESULTS_ROUTING_SIZE - strlen(text), format, arguments);
    va_end(arguments);
}

const char *results_describe_routing(const results_shape *shape, char text[RESULTS_ROUTING_SIZE])
{
    text[0] = '\0';
    if (strcmp(shape->router, "cosine") == 0)
        add(text, "cosine %u", shape->projection_width);
    if (shape->gate[0] && strcmp(shape->gate, "softmax") != 0)
        add(text, "%s", shape->gate);
    if (shape->groups > 0)
        add(text, "%u of %u groups%s", shape->top_groups, shape->groups,
            strcmp(shape->group_score, "max") == 0 ? " by their best" : "");
    if (shape->balanced_groups > 1)
        add(text, "%u balanced groups", shape->balanced_groups);
    if (shape->expert_scale)
        add(text, "factors");
    if (shape->shared_hidden > 0)
        add(text, "%sshared %u", shape->shared_gate ? "gated " : "", shape->shared_hidden);
    return text;
}
