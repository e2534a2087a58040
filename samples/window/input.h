/* What the user does, from GLFW's callbacks and from scripts alike. Places are in units of the interface. */
#ifndef WINDOW_INPUT_H
#define WINDOW_INPUT_H

#include "app.h"

void input_connect(window_app *app); /* GLFW's callbacks */

void input_move(window_app *app, float x, float y);
void input_button(window_app *app, bool down); /* the left one */
void input_wheel(window_app *app, float by);
void input_key(window_app *app, int key); /* GLFW_KEY_*, as it is pressed */
void input_minimise(window_app *app, bool minimised);
void input_scale(window_app *app, float scale);

/* A file that was dropped on the window: pictures are shown; what cannot be read is said in the window. */
void input_drop(window_app *app, const char *path);

#endif
