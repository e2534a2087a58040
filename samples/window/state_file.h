/* What is on the screen, as JSON: for the tests that compare pixels with it. */
#ifndef WINDOW_STATE_FILE_H
#define WINDOW_STATE_FILE_H

#include "app.h"

/* False with the app's error. */
bool state_file_write(window_app *app, const char *path);

#endif
