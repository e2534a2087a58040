/* A layer of one case that is run several times: what the property tests are made of. Every function fails the cmocka
 * test, after printing seed and shape, when smoe gives an error. */
#ifndef LAYER_SESSION_H
#define LAYER_SESSION_H

#include "check_layer.h"

typedef struct layer_session {
    case_data data;
    smoe_device *device;
    smoe_device_layer *layer;
} layer_session;

void session_open(layer_session *session, smoe_device *device, const layer_case *shape);
/* The same in two steps, so that a test may change the weights in between. */
void session_prepare(layer_session *session, smoe_device *device, const layer_case *shape);
void session_create_layer(layer_session *session);
void session_close(layer_session *session);

/* Fails the test, after printing what it is about and the case, unless `good`. */
void session_expect(const layer_session *session, bool good, const char *what);

/* Runs token_count tokens of `x` ([token_count,D]; NULL: the case's own) with params' values (NULL: the case's own)
 * into y[token_count,D], and into report unless it is NULL. */
void session_run(const layer_session *session, const smoe_forward_params *params, uint32_t token_count, const float *x,
                 float *y, uint32_t *report);

/* Floats for token_count rows of y, words for as many report records. Free with free. */
float *session_rows(const layer_session *session, uint32_t token_count);
uint32_t *session_report(const layer_session *session, uint32_t token_count);
uint32_t session_stride(const layer_session *session);

/* Whether smoe_select_kernels gives the same kernels for two token counts of the session's plan, or for another
 * plan. */
bool session_same_kernels(const layer_session *session, uint32_t token_count, const smoe_plan_desc *other,
                          uint32_t other_count);

/* Runs tokens first, first + step, ... of the case, `count` of them, in a batch of their own, and expects the bits of
 * their rows of `whole`, the y of all of the case. */
void session_compare_part(const layer_session *session, uint32_t first, uint32_t step, uint32_t count,
                          const float *whole);

#endif
