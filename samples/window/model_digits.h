/* The digits as a model of the window: 8x8 numbers in, ten classes out, each digit one token. */
#ifndef WINDOW_MODEL_DIGITS_H
#define WINDOW_MODEL_DIGITS_H

#include "digits/model.h"
#include "model.h"

/* digits lives as long. Nothing is made on the device yet: that is load's. False where the model does not suit. */
bool model_digits_create(window_model *model, window_device *device, const digits_model *digits);

#endif
