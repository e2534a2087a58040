/* Pictures by the vision sample's files. */
#include "pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vision/image.h"

static bool fail(window_pictures *pictures, const char *path, const char *reason)
{
    snprintf(pictures->reason, sizeof pictures->reason, "%s %s", path, reason);
    return false;
}

bool pictures_open(window_pictures *pictures, const char *path, const smoe_log *log)
{
    *pictures = (window_pictures){.list = NULL};
    if (!vision_model_open(&pictures->model, path, log))
        return false;
    const uint32_t size = pictures->model.image_size;
    pictures->input_size = 3 * size * size;
    pictures->side = size < PICTURES_SHOWN_SIDE ? size : PICTURES_SHOWN_SIDE;
    return true;
}

void pictures_close(window_pictures *pictures)
{
    for (uint32_t i = 0; i < pictures->count; i++) {
        free(pictures->list[i].input);
        free(pictures->list[i].shown);
    }
    free(pictures->list);
    vision_model_close(&pictures->model);
    *pictures = (window_pictures){.list = NULL};
}

/* Room for one more; NULL: none. It counts once its input is there. */
static window_picture *make_room(window_pictures *pictures)
{
    if (pictures->count == pictures->capacity) {
        const uint32_t capacity = 2 * pictures->capacity + 4;
        window_picture *list = realloc(pictures->list, capacity * sizeof *list);
        if (!list)
            return NULL;
        pictures->list = list;
        pictures->capacity = capacity;
    }
    window_picture *picture = &pictures->list[pictures->count];
    *picture = (window_picture){.input = calloc(pictures->input_size, sizeof(float)),
                                .shown = calloc((size_t)3 * pictures->side * pictures->side, sizeof(float))};
    if (picture->input && picture->shown)
        return picture;
    free(picture->input);
    free(picture->shown);
    return NULL;
}

static void show(const window_pictures *pictures, window_picture *picture)
{
    const vision_model *model = &pictures->model;
    const uint32_t side = pictures->side, size = model->image_size;
    for (uint32_t c = 0; c < 3; c++)
        for (uint32_t y = 0; y < side; y++)
            for (uint32_t x = 0; x < side; x++) {
                const float *from = picture->input + ((size_t)c * size + y * size / side) * size + x * size / side;
                picture->shown[(c * side + y) * side + x] = *from * model->std[c] + model->mean[c];
            }
}

static const char *name_of(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at; at++)
        if (*at == '/' || *at == '\\')
            name = at + 1;
    return name;
}

bool pictures_add(window_pictures *pictures, const char *path)
{
    char reason[IMAGE_REASON_SIZE];
    image decoded;
    if (!image_read(&decoded, path, reason))
        return fail(pictures, path, reason);
    window_picture *picture = make_room(pictures);
    const bool prepared = picture && image_prepare(&decoded, &pictures->model, picture->input, reason);
    image_release(&decoded);
    if (!prepared) {
        if (picture) {
            free(picture->input);
            free(picture->shown);
        }
        return fail(pictures, path, picture ? reason : "needs memory that there is not");
    }
    snprintf(picture->name, sizeof picture->name, "%s", name_of(path));
    show(pictures, picture);
    pictures->count++;
    return true;
}

bool pictures_add_grey(window_pictures *pictures)
{
    window_picture *picture = make_room(pictures);
    if (!picture)
        return fail(pictures, "a picture", "needs memory that there is not");
    snprintf(picture->name, sizeof picture->name, "grey");
    show(pictures, picture);
    pictures->count++;
    return true;
}
