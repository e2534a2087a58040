/* The loading thread. It creates objects, and submits only what a model of pictures uploads where the host cannot see
 * all of the device's memory, under the queue's lock. */
#include "loader.h"

static void *run(void *user)
{
    window_loader *loader = user;
    const bool loaded =
        loader->model->functions->load(loader->model) && window_work_create(loader->work, loader->model);
    __atomic_store_n(&loader->state, loaded ? LOADER_DONE : LOADER_FAILED, __ATOMIC_RELEASE);
    glfwPostEmptyEvent(); /* the main thread may be waiting for events */
    return NULL;
}

bool loader_start(window_loader *loader, window_model *model, window_work *work)
{
    loader->model = model;
    loader->work = work;
    loader->state = LOADER_RUNS;
    loader->started = pthread_create(&loader->thread, NULL, run, loader) == 0;
    return loader->started;
}

loader_state loader_look(const window_loader *loader)
{
    return (loader_state)__atomic_load_n(&loader->state, __ATOMIC_ACQUIRE);
}

void loader_join(window_loader *loader)
{
    if (loader->started)
        pthread_join(loader->thread, NULL);
    loader->started = false;
}
