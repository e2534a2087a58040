/* Shapes of layers in an order. */
#include "results.h"

#include <math.h>
#include <string.h>

#include "program/order.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What was not given comes first. */
static int compare_given(double a, double b)
{
    const double left = isnan(a) ? -1 : a, right = isnan(b) ? -1 : b;
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
                                   {a->shared_hidden, b->shared_hidden},
                                   {a->router_bias, b->router_bias},
                                   {a->selection_bias, b->selection_bias},
                                   {a->shared_gate, b->shared_gate},
                                   {a->gated, b->gated},
                                   {a->renormalize, b->renormalize},
                                   {a->biases, b->biases}};
    const char *const texts[][2] = {{a->router, b->router}, {a->gate, b->gate}, {a->activation, b->activation}};
    const double given[][2] = {{a->given_eps, b->given_eps},
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
