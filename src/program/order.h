/* Orders for sorting, and for comparisons by one thing after another. */
#ifndef PROGRAM_ORDER_H
#define PROGRAM_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Below 0, 0, or above 0, as a is less than b, equal, or more. */
int program_compare_numbers(int64_t a, int64_t b);

/* The least first. A NaN has no place: none may be among them. */
void program_sort_numbers(double *values, size_t count);

#endif
