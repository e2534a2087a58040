/* The program as a whole. */
#ifndef WINDOW_APP_H
#define WINDOW_APP_H

#include "device.h"
#include "draw.h"
#include "loader.h"
#include "model_digits.h"
#include "model_pictures.h"
#include "numbers.h"
#include "state.h"
#include "swapchain.h"
#include "ui.h"
#include "work.h"

typedef struct window_options {
    const char *device, *model, *data, *script;
    double scale; /* NaN: the system's */
    bool validate, no_vsync, pictures; /* pictures: rather than digits */
    char **picture_paths;
    uint32_t picture_count;
} window_options;

/* False where the program is to exit with *status. */
bool window_read_options(window_options *out, int argc, char **argv, int *status);

typedef struct window_app {
    window_options options;
    digits_data data;
    digits_model digits;
    window_pictures pictures;
    GLFWwindow *window;
    window_device device;
    window_swapchain swapchain;
    window_draw draw;
    window_ui ui;
    window_state state;
    window_model model;
    window_work work;
    window_loader loader;
    window_numbers numbers;
    uint64_t asked; /* the version of the state that was asked for last */
    float scale;    /* pixels of a unit of the interface */
    bool rescale;   /* it has changed */
    bool minimised;
    bool paints;                                   /* the button went down on the canvas */
    float brush_x, brush_y;                        /* where the brush was, in pixels of the canvas */
    uint32_t redraws;                              /* frames to draw before waiting for events */
    double began, first_frame, frame_milliseconds; /* moments in nanoseconds */
    char device_line[WINDOW_ERROR_SIZE];
    char error[WINDOW_ERROR_SIZE]; /* one line, of what ended the run */
} window_app;

#endif
