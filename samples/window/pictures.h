/* The pictures that the window has been given, as a vision model sees them. */
#ifndef WINDOW_PICTURES_H
#define WINDOW_PICTURES_H

#include "vision/model.h"

enum { PICTURES_SHOWN_SIDE = 64, PICTURES_NAME_SIZE = 64, PICTURES_REASON_SIZE = 4608 };

typedef struct window_picture {
    char name[PICTURES_NAME_SIZE]; /* of its file, cut where it is long */
    float *input;                  /* [3, image_size, image_size], normalised */
    float *shown;                  /* [3, side, side], 0 .. 1, as much of it as the window shows */
} window_picture;

typedef struct window_pictures {
    vision_model model;
    window_picture *list; /* what is here stays: requests point to it */
    uint32_t count, capacity;
    uint32_t input_size, side;         /* numbers of an input; pixels along a side of `shown` */
    char reason[PICTURES_REASON_SIZE]; /* why the last call gave false: one line */
} window_pictures;

/* The model at a path. log: gets what is wrong with the file. */
bool pictures_open(window_pictures *pictures, const char *path, const smoe_log *log);
void pictures_close(window_pictures *pictures);

/* Reads another picture. */
bool pictures_add(window_pictures *pictures, const char *path);

/* A grey one, for the time before there is any. */
bool pictures_add_grey(window_pictures *pictures);

#endif
