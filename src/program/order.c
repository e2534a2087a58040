/* Orders of numbers. */
#include "order.h"

#include <stdlib.h>

int program_compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_rising(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void program_sort_numbers(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_rising);
}
