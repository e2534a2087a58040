/* Pictures as a model of the window: the vision sample's engine on the window's device. */
#ifndef WINDOW_MODEL_PICTURES_H
#define WINDOW_MODEL_PICTURES_H

#include "model.h"
#include "pictures.h"

/* Its results: the probabilities of up to MODEL_MAX_CLASSES classes, for each item the report of the class token in the
 * last block with experts, and for item 0 the reports of the last blocks. The pictures live as long. Nothing is made on
 * the device yet. False, with the model's error, where the vision model does not suit. */
bool model_pictures_create(window_model *model, window_device *device, const window_pictures *pictures);

#endif
