#include "reference.h"

#include <math.h>
#include <stdio.h>

/* Masked softmax over the experts, with the mask of smoe_forward_defaults: u / (u + (1-u)^50). */
static void route(const float *router, const double *x, double *weights)
{
    double logits[EXPERTS] = {0}, sorted[EXPERTS], total = 0;
    for (int e = 0, rank; e < EXPERTS; e++) {
        for (int i = 0; i < WIDTH; i++)
            logits[e] += (double)router[e * WIDTH + i] * x[i];
        for (rank = e; rank > 0 && sorted[rank - 1] < logits[e]; rank--)
            sorted[rank] = sorted[rank - 1];
        sorted[rank] = logits[e];
    }
    for (int e = 0; e < EXPERTS; e++) {
        const double u = fmin(fmax((logits[e] - sorted[TOP_K - 1]) / (double)EPS + 1, 0), 1);
        weights[e] = exp(logits[e]) * u / (u + pow(1 - u, 50));
        total += weights[e];
    }
    for (int e = 0; e < EXPERTS; e++)
        weights[e] /= total;
}

void reference(const float *router, const float *w1, const float *w2, double *residual)
{
    for (int t = 0; t < TOKENS; t++, residual += WIDTH) {
        double x[WIDTH], weights[EXPERTS], squares = 0;
        for (int i = 0; i < WIDTH; i++)
            squares += residual[i] * residual[i];
        for (int i = 0; i < WIDTH; i++)
            x[i] = residual[i] / sqrt(squares / WIDTH + 1e-6);
        route(router, x, weights);
        printf("token %d:", t);
        for (int e = 0; e < EXPERTS; e++) {
            if (weights[e] > 0)
                printf("  expert %d %.4f", e, weights[e]);
            for (int h = 0; h < HIDDEN; h++) {
                double hidden = 0;
                for (int i = 0; i < WIDTH; i++)
                    hidden += (double)w1[(e * HIDDEN + h) * WIDTH + i] * x[i];
                for (int i = 0; i < WIDTH; i++)
                    residual[i] += weights[e] * (double)w2[(e * WIDTH + i) * HIDDEN + h] * fmax(hidden, 0);
            }
        }
        printf("\n");
    }
}
