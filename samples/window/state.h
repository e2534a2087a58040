/* What the user has chosen: plain data. The interface changes it, the model is asked by it, scripts print it. */
#ifndef WINDOW_STATE_H
#define WINDOW_STATE_H

#include "digits/model.h"
#include "model.h"
#include "pictures.h"

enum { CANVAS_CELL = 4, CANVAS_SIDE = 8 * CANVAS_CELL, STATE_PAINTED = -1 };

typedef struct digit_choice {
    float pixels[DIGITS_PIXELS]; /* 0 paper .. 1 ink */
    int sample;                  /* of the data; STATE_PAINTED */
} digit_choice;

typedef struct window_state {
    const window_pictures *pictures;          /* NULL: digits */
    uint32_t shown, from_picture, to_picture; /* of the pictures: which is looked at; the ends of the path */
    const digits_data *data;
    float seen[DIGITS_PIXELS];               /* of the last request */
    float canvas[CANVAS_SIDE * CANVAS_SIDE]; /* ink; a pixel of the model is the mean of 4x4 of these, as in the data */
    int sample;                              /* that is on the canvas, as it is; STATE_PAINTED */
    digit_choice from, to;                   /* the ends of the path */
    smoe_forward_params params, defaults;
    double low, high;  /* the part of the path that is shown */
    float bottom, top; /* the part of the axis of probabilities, 0 .. 1, or of logits */
    bool logits, vsync, dropped; /* dropped: a picture, which digits have no use for */
    double pointed;   /* the place on the path that is pointed at, low .. high; below 0: none */
    uint64_t version; /* rises with whatever the model's answer depends on */
} window_state;

void state_begin(window_state *state, const digits_data *data, const smoe_forward_params *params);
/* The first picture is shown, and the path goes from it to the last. There is one at least. */
void state_begin_pictures(window_state *state, const window_pictures *pictures, const smoe_forward_params *params);

void state_show_picture(window_state *state, uint32_t index);
void state_choose_picture(window_state *state, uint32_t *end); /* the picture shown as an end of the path */

/* What the canvas is to the model. */
void state_digit(const window_state *state, float pixels[DIGITS_PIXELS]);

void state_clear(window_state *state);
/* A round brush from one place to another, in pixels of the canvas. */
void state_paint(window_state *state, float from_x, float from_y, float to_x, float to_y);
void state_show_sample(window_state *state, int sample);
/* The next sample that was kept for testing, backwards where step is -1. */
void state_step(window_state *state, int step);

void state_choose(window_state *state, digit_choice *end); /* the digit on the canvas as an end of the path */

/* Both keep the part within the whole, and no narrower than where float32 ends. */
void state_look_at(window_state *state, double low, double high);
void state_whole_path(window_state *state);
void state_show_logits(window_state *state, bool logits); /* or probabilities, on all of their axis */

/* What it points to is the state's, and of pictures for good. */
void state_fill_request(window_state *state, model_request *request);

#endif
