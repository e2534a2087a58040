/* The thread that makes the model: smoe compiles its pipelines there, while frames are drawn. */
#ifndef WINDOW_LOADER_H
#define WINDOW_LOADER_H

#include <pthread.h>

#include "work.h"

typedef enum loader_state { LOADER_IDLE, LOADER_RUNS, LOADER_DONE, LOADER_FAILED } loader_state;

typedef struct window_loader {
    pthread_t thread;
    bool started;
    int state; /* loader_state, atomic */
    window_model *model;
    window_work *work;
} window_loader;

/* False where no thread can be had. */
bool loader_start(window_loader *loader, window_model *model, window_work *work);
loader_state loader_look(const window_loader *loader);
void loader_join(window_loader *loader); /* before what it makes is destroyed */

#endif
