/* From values to places. */
#include "report.h"

#include <math.h>

static const double roundest[] = {1, 2, 5};
enum { ROUND_COUNT = 3 };

/* The largest 1, 2 or 5 times a power of ten that is no larger than a value above 0; tolerant of rounding. */
static double round_down(double value)
{
    const double power = pow(10, floor(log10(value) + 1e-9));
    double found = power;
    for (int i = 0; i < ROUND_COUNT; i++)
        if (roundest[i] * power <= value * (1 + 1e-9))
            found = roundest[i] * power;
    return found;
}

static double round_up(double value)
{
    const double below = round_down(value);
    return below < value * (1 - 1e-9) ? round_down(2.52 * below) : below; /* the next is 2 or 2.5 times as large */
}

/* Ticks at 1, 2 and 5 as long as few of them are needed, else at powers of ten. */
static bool has_many_decades(double low, double high)
{
    return log10(high / low) > 2.5;
}

report_axis report_log_axis(double low, double high, double from, double to)
{
    if (!report_known(low) || !report_known(high) || low > high)
        low = 1, high = 10;
    report_axis axis = {round_down(low), round_up(high), from, to, 0};
    if (has_many_decades(axis.low, axis.high)) {
        axis.low = pow(10, floor(log10(axis.low) + 1e-9));
        axis.high = pow(10, ceil(log10(axis.high) - 1e-9));
    }
    if (axis.high <= axis.low)
        axis.high = round_up(axis.low * 1.5);
    return axis;
}

report_axis report_linear_axis(double low, double high, double from, double to)
{
    if (!isfinite(low) || !isfinite(high) || low > high)
        low = 0, high = 1;
    if (high - low < 1e-6 * fabs(high) + 1e-30)
        high = low + 1;
    const double step = round_up((high - low) / 6);
    return (report_axis){step * floor(low / step + 1e-9), step * ceil(high / step - 1e-9), from, to, step};
}

double report_place(const report_axis *axis, double value)
{
    const double share = axis->step > 0 ? (value - axis->low) / (axis->high - axis->low)
                                        : log(value / axis->low) / log(axis->high / axis->low);
    const double within = share > 0 ? share < 1 ? share : 1 : 0;
    return axis->from + (axis->to - axis->from) * within;
}

static int linear_ticks(const report_axis *axis, double ticks[REPORT_MAX_TICKS])
{
    int count = 0;
    for (int i = 0; count < REPORT_MAX_TICKS && axis->low + i * axis->step <= axis->high + 0.5 * axis->step; i++)
        ticks[count++] = axis->low + i * axis->step;
    return count;
}

/* Ticks at one or several places of each decade. */
static int decade_ticks(const report_axis *axis, const double *places, int place_count, double ticks[REPORT_MAX_TICKS])
{
    int count = 0;
    for (double power = floor(log10(axis->low) + 1e-9); pow(10, power) <= axis->high * (1 + 1e-9); power++)
        for (int i = 0; i < place_count; i++) {
            const double tick = places[i] * pow(10, power);
            if (count < REPORT_MAX_TICKS && tick >= axis->low * (1 - 1e-9) && tick <= axis->high * (1 + 1e-9))
                ticks[count++] = tick;
        }
    return count;
}

int report_ticks(const report_axis *axis, int most, double ticks[REPORT_MAX_TICKS])
{
    static const double thirds[] = {1, 3};
    const double decades = log10(axis->high / axis->low), stride = ceil((decades + 1) / most - 1e-9);
    int count = 0;
    if (axis->step > 0)
        return linear_ticks(axis, ticks);
    if (3 * decades + 1 <= most + 0.5)
        return decade_ticks(axis, roundest, ROUND_COUNT, ticks);
    if (2 * decades + 1 <= most + 0.5)
        return decade_ticks(axis, thirds, 2, ticks);
    for (double power = ceil(log10(axis->low) - 1e-9);
         count < REPORT_MAX_TICKS && pow(10, power) <= axis->high * (1 + 1e-9); power += stride)
        ticks[count++] = pow(10, power);
    return count;
}
