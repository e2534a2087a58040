/* Scripts: what a user would do, a line a frame, through the same functions as GLFW's callbacks. README.md lists the
 * commands. */
#ifndef WINDOW_SCRIPT_H
#define WINDOW_SCRIPT_H

#include "app.h"
#include "screenshot.h"

enum { SCRIPT_MAX_COMMANDS = 1024, SCRIPT_MAX_ARGUMENTS = 5 };

typedef struct script_command {
    int kind;
    uint32_t line;
    uint32_t argument_count;
    char *arguments[SCRIPT_MAX_ARGUMENTS]; /* in the script's text */
} script_command;

typedef struct window_script {
    const char *path;
    char *text;
    script_command *commands;
    uint32_t count, next;
    uint32_t pause;         /* frames before the next command */
    const char *state_path; /* the state of the frame being drawn goes there */
} window_script;

/* Reads all of it. False after a line on stderr. */
bool script_open(window_script *script, const char *path);
void script_close(window_script *script);

/* Whether loading is to wait: `hold` came before the first `wait`. */
bool script_holds(const window_script *script);

/* The next line, between nk_input_begin and nk_input_end. shot: gets the name of a screenshot of this frame. False with
 * the app's error. */
bool script_step(window_script *script, window_app *app, screenshot *shot);

bool script_runs(const window_script *script); /* there are lines left */

#endif
