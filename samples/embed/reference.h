/* What the program computes, in plain C: the check of embed.c. */
#ifndef EMBED_REFERENCE_H
#define EMBED_REFERENCE_H

enum { TOKENS = 5, WIDTH = 48, HIDDEN = 64, EXPERTS = 8, TOP_K = 2 };
#define EPS 0.5f /* the band: experts this close to the k-th best run too */

/* residual [TOKENS,WIDTH] += moe(residual / rms(residual)). Prints the experts that run and their weights. */
void reference(const float *router, const float *w1, const float *w2, double *residual);

#endif
