/* Least squares and maximum likelihood: weighted normal equations of at most four unknowns. */
#include "analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_UNKNOWNS = 4 };

typedef struct normal_equations {
    int unknowns;
    double matrix[MAX_UNKNOWNS][MAX_UNKNOWNS], right[MAX_UNKNOWNS];
} normal_equations;

static void add_row(normal_equations *system, const double *row, double weight, double y)
{
    for (int i = 0; i < system->unknowns; i++) {
        system->right[i] += weight * row[i] * y;
        for (int j = 0; j < system->unknowns; j++)
            system->matrix[i][j] += weight * row[i] * row[j];
    }
}

/* solution, and the inverse in place of the matrix (Gauss and Jordan; the matrix is positive definite or the fit has
 * none). */
static bool solve(normal_equations *system, double *solution)
{
    const int n = system->unknowns;
    double inverse[MAX_UNKNOWNS][MAX_UNKNOWNS] = {{0}}, scale[MAX_UNKNOWNS];

    for (int i = 0; i < n; i++) {
        scale[i] = system->matrix[i][i] > 0 ? 1 / sqrt(system->matrix[i][i]) : 0;
        inverse[i][i] = 1;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            system->matrix[i][j] *= scale[i] * scale[j];
    for (int i = 0; i < n; i++) {
        const double pivot = system->matrix[i][i];
        if (!(pivot > 1e-10)) /* of 1: the unknowns cannot be told apart */
            return false;
        for (int j = 0; j < n; j++) {
            system->matrix[i][j] /= pivot;
            inverse[i][j] /= pivot;
        }
        for (int other = 0; other < n; other++) {
            const double factor = system->matrix[other][i];
            for (int j = 0; j < n && other != i; j++) {
                system->matrix[other][j] -= factor * system->matrix[i][j];
                inverse[other][j] -= factor * inverse[i][j];
            }
        }
    }
    for (int i = 0; i < n; i++) {
        solution[i] = 0;
        for (int j = 0; j < n; j++) {
            system->matrix[i][j] = inverse[i][j] * scale[i] * scale[j];
            solution[i] += system->matrix[i][j] * system->right[j];
        }
    }
    return true;
}

static void clear(analyze_fit *fit)
{
    *fit = (analyze_fit){.slope = NAN, .slope_error = NAN, .intercept = NAN, .intercept_error = NAN, .chi_square = NAN,
                         .from = NAN, .to = NAN, .curvature = NAN, .curvature_error = NAN};
}

static bool fit_points(const double *x, const double *y, const double *errors, size_t count, bool logarithms,
                       analyze_fit *fit)
{
    normal_equations system = {.unknowns = 2};
    double solution[2], squares = 0;

    clear(fit);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            const bool usable = isfinite(x[i]) && isfinite(y[i]) &&
                                (!errors || (isfinite(errors[i]) && errors[i] > 0)) &&
                                (!logarithms || (x[i] > 0 && y[i] > 0));
            if (!usable)
                continue;
            const double at = logarithms ? log(x[i]) : x[i], value = logarithms ? log(y[i]) : y[i];
            const double error = !errors ? 1 : logarithms ? errors[i] / y[i] : errors[i];
            if (round == 1) {
                const double off = (value - solution[0] - solution[1] * at) / error;
                squares += off * off;
                continue;
            }
            add_row(&system, (const double[]){1, at}, 1 / (error * error), value);
            fit->from = fit->count == 0 || x[i] < fit->from ? x[i] : fit->from;
            fit->to = fit->count == 0 || x[i] > fit->to ? x[i] : fit->to;
            fit->count++;
        }
        if (round == 0 && (fit->count < (errors ? 2u : 3u) || !solve(&system, solution))) {
            clear(fit);
            return false;
        }
    }
    const double variance = errors ? 1 : squares / (double)(fit->count - 2);
    fit->intercept = solution[0];
    fit->slope = solution[1];
    fit->intercept_error = sqrt(variance * system.matrix[0][0]);
    fit->slope_error = sqrt(variance * system.matrix[1][1]);
    fit->chi_square = errors ? squares : (double)NAN;
    return true;
}

bool analyze_fit_line(const double *x, const double *y, const double *errors, size_t count, analyze_fit *fit)
{
    return fit_points(x, y, errors, count, false, fit);
}

bool analyze_fit_power(const double *x, const double *y, const double *errors, size_t count, analyze_fit *fit)
{
    return fit_points(x, y, errors, count, true, fit);
}

/* ln of a bin's mean, and what each unknown multiplies in it. */
static double logarithm(double x, const double solution[MAX_UNKNOWNS], double row[MAX_UNKNOWNS])
{
    double sum = 0;
    row[0] = 1;
    row[1] = log(x);
    row[2] = x;
    row[3] = x * x;
    for (int i = 0; i < MAX_UNKNOWNS; i++)
        sum += row[i] * solution[i];
    return sum;
}

/* One step of Newton's method (iteratively reweighted least squares, McCullagh and Nelder). Gives the largest
 * change. */
static double improve(const double *edges, const double *counts, size_t count, normal_equations *system,
                      double *solution)
{
    const int unknowns = system->unknowns;
    double next[MAX_UNKNOWNS], change = 0;

    memset(system, 0, sizeof *system);
    system->unknowns = unknowns;
    for (size_t i = 0; i < count; i++) {
        if (!(edges[i] > 0))
            continue;
        double row[MAX_UNKNOWNS];
        const double linear = logarithm(edges[i + 1], solution, row), mean = exp(linear);
        add_row(system, row, mean, linear + (counts[i] - mean) / mean);
    }
    if (!solve(system, next))
        return (double)NAN;
    for (int i = 0; i < unknowns; i++) {
        change = fmax(change, fabs(next[i] - solution[i]) / (1 + fabs(next[i])));
        solution[i] = next[i];
    }
    return change;
}

bool analyze_fit_counts(const double *edges, const double *counts, size_t count, int corrections, analyze_fit *fit)
{
    normal_equations system = {.unknowns = 2};
    double solution[MAX_UNKNOWNS] = {0}, change = 1, total = 0, *logs = malloc(count * sizeof *logs);
    analyze_fit start;

    clear(fit);
    if (!logs)
        return false;
    /* From the line through the logarithms: near enough for Newton's method. */
    for (size_t i = 0; i < count; i++) {
        logs[i] = edges[i] > 0 && counts[i] > 0 ? 1 / sqrt(counts[i]) * counts[i] : (double)NAN;
        total += edges[i] > 0 ? counts[i] : 0;
    }
    bool good = total >= 10 && analyze_fit_power(edges + 1, counts, logs, count, &start);
    free(logs);
    solution[0] = start.intercept;
    solution[1] = start.slope;
    for (int unknowns = 2; good && unknowns <= 2 + corrections; unknowns++) {
        system.unknowns = unknowns;
        change = 1;
        for (int i = 0; i < 50 && change > 1e-10; i++)
            change = improve(edges, counts, count, &system, solution);
        good = change <= 1e-6; /* NaN too */
    }
    if (!good)
        return false;
    fit->intercept = solution[0];
    fit->slope = solution[1];
    fit->curvature = solution[2];
    fit->intercept_error = sqrt(system.matrix[0][0]);
    fit->slope_error = sqrt(system.matrix[1][1]);
    fit->curvature_error = corrections > 0 ? sqrt(system.matrix[2][2]) : 0;
    fit->chi_square = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(edges[i] > 0))
            continue;
        double row[MAX_UNKNOWNS];
        const double mean = exp(logarithm(edges[i + 1], solution, row));
        fit->chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
        fit->from = fit->count == 0 ? edges[i] : fit->from;
        fit->to = edges[i + 1];
        fit->count++;
    }
    return true;
}
