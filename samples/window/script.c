/* Reads scripts and follows them. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "input.h"
#include "program/output.h"

typedef enum command_kind {
    COMMAND_MOVE,
    COMMAND_PRESS,
    COMMAND_RELEASE,
    COMMAND_WHEEL,
    COMMAND_KEY,
    COMMAND_DROP,
    COMMAND_RESIZE,
    COMMAND_SCALE,
    COMMAND_MINIMISE,
    COMMAND_RESTORE,
    COMMAND_HOLD,
    COMMAND_WAIT,
    COMMAND_FRAMES,
    COMMAND_SCREENSHOT,
    COMMAND_STATE,
    COMMAND_QUIT,
    COMMAND_KINDS
} command_kind;

static const struct {
    const char *name;
    uint32_t least, most; /* arguments */
    const char *usage;
    uint32_t numbers; /* of them, the last ones */
    double lowest, highest;
} commands[COMMAND_KINDS] = {
    [COMMAND_MOVE] = {"move", 2, 3, "move AREA X Y, parts of the area from 0 to 1; or move X Y", 2, -1e5, 1e5},
    [COMMAND_PRESS] = {"press", 0, 0, "press", 0, 0, 0},
    [COMMAND_RELEASE] = {"release", 0, 0, "release", 0, 0, 0},
    [COMMAND_WHEEL] = {"wheel", 1, 1, "wheel TURNS, from -1000 to 1000", 1, -1000, 1000},
    [COMMAND_KEY] = {"key", 1, 1, "key NAME", 0, 0, 0},
    [COMMAND_DROP] = {"drop", 1, 1, "drop FILE", 0, 0, 0},
    [COMMAND_RESIZE] = {"resize", 2, 2, "resize WIDTH HEIGHT, from 1 to 16384", 2, 1, 16384},
    [COMMAND_SCALE] = {"scale", 1, 1, "scale X, from 0.5 to 4", 1, 0.5, 4},
    [COMMAND_MINIMISE] = {"minimise", 0, 0, "minimise", 0, 0, 0},
    [COMMAND_RESTORE] = {"restore", 0, 0, "restore", 0, 0, 0},
    [COMMAND_HOLD] = {"hold", 0, 0, "hold", 0, 0, 0},
    [COMMAND_WAIT] = {"wait", 0, 0, "wait", 0, 0, 0},
    [COMMAND_FRAMES] = {"frames", 1, 1, "frames COUNT, from 1 to 10000", 1, 1, 10000},
    [COMMAND_SCREENSHOT] = {"screenshot", 1, 1, "screenshot FILE.ppm", 0, 0, 0},
    [COMMAND_STATE] = {"state", 1, 1, "state FILE.json", 0, 0, 0},
    [COMMAND_QUIT] = {"quit", 0, 0, "quit", 0, 0, 0},
};

static const struct {
    const char *name;
    int key;
} keys[] = {
    {"left", GLFW_KEY_LEFT}, {"right", GLFW_KEY_RIGHT},   {"up", GLFW_KEY_UP},         {"down", GLFW_KEY_DOWN},
    {"home", GLFW_KEY_HOME}, {"delete", GLFW_KEY_DELETE}, {"escape", GLFW_KEY_ESCAPE}, {"f", GLFW_KEY_F},
    {"t", GLFW_KEY_T},       {"l", GLFW_KEY_L},           {"v", GLFW_KEY_V},
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
    char reason[SMOE_SYSTEM_REASON_SIZE], *text = NULL;
    FILE *stream = smoe_system_file_open(path, SMOE_SYSTEM_FILE_READ);
    const uint64_t size = stream ? smoe_system_file_size(stream) : 0;
    if (stream && size < 1 << 20)
        text = malloc((size_t)size + 1);
    if (!text || !smoe_system_file_seek(stream, 0) || fread(text, 1, (size_t)size, stream) < size) {
        program_say("smoe-window", "--script: %s: %s", path, stream ? "cannot be read" : smoe_system_reason(reason));
        free(text);
        text = NULL;
    }
    if (text)
        text[size] = '\0';
    if (stream)
        fclose(stream);
    return text;
}

static int find_kind(const char *name)
{
    for (int kind = 0; kind < COMMAND_KINDS; kind++)
        if (!strcmp(commands[kind].name, name))
            return kind;
    return COMMAND_KINDS;
}

static bool refuse(const window_script *script, uint32_t line, const char *what, const char *rule)
{
    program_say("smoe-window", "--script: %s: line %u: %s: %s", script->path, line, what, rule);
    return false;
}

static bool has_numbers(const script_command *command)
{
    for (uint32_t i = 0; i < commands[command->kind].numbers; i++) {
        const char *text = command->arguments[command->argument_count - 1 - i];
        char *end;
        const double value = strtod(text, &end);
        if (end == text || *end ||
            !(value >= commands[command->kind].lowest && value <= commands[command->kind].highest))
            return false;
    }
    return true;
}

/* Words between spaces; a word that begins with # ends the line. */
static bool read_line(window_script *script, char *text, uint32_t line)
{
    script_command command = {.line = line};
    char *name = NULL;
    for (char *at = text; *at;) {
        const size_t blank = strspn(at, " \r");
        if (blank > 0) {
            memset(at, 0, blank);
            at += blank;
            continue;
        }
        if (*at == '#')
            break;
        if (!name)
            name = at;
        else if (command.argument_count < SCRIPT_MAX_ARGUMENTS)
            command.arguments[command.argument_count++] = at;
        at += strcspn(at, " \r");
    }
    if (!name)
        return true;
    command.kind = find_kind(name);
    if (command.kind == COMMAND_KINDS)
        return refuse(script, line, name, "no such command");
    if (command.argument_count < commands[command.kind].least || command.argument_count > commands[command.kind].most ||
        !has_numbers(&command))
        return refuse(script, line, "must be", commands[command.kind].usage);
    if (script->count == SCRIPT_MAX_COMMANDS)
        return refuse(script, line, name, "the script is too long");
    script->commands[script->count++] = command;
    return true;
}

bool script_open(window_script *script, const char *path)
{
    *script = (window_script){.path = path};
    script->text = read_text(path);
    if (!script->text)
        return false;
    script->commands = calloc(SCRIPT_MAX_COMMANDS, sizeof *script->commands);
    if (!script->commands)
        return refuse(script, 0, path, "out of memory");
    uint32_t line = 1;
    for (char *at = script->text, *end; at; at = end, line++) {
        end = strchr(at, '\n');
        if (end)
            *end++ = '\0';
        if (!read_line(script, at, line))
            return false;
    }
    return true;
}

void script_close(window_script *script)
{
    free(script->commands);
    free(script->text);
    *script = (window_script){.path = NULL};
}

bool script_runs(const window_script *script)
{
    return script->next < script->count || script->pause > 0;
}

bool script_holds(const window_script *script)
{
    bool holds = false;
    for (uint32_t i = 0; i < script->next; i++) {
        const int kind = script->commands[i].kind;
        holds = kind == COMMAND_HOLD || (holds && kind != COMMAND_WAIT);
    }
    /* The `wait` itself is not passed before there are results. */
    return holds && !(script->next < script->count && script->commands[script->next].kind == COMMAND_WAIT);
}

/* ---- following --------------------------------------------------------------------------------------------------- */

static bool fail(const window_script *script, window_app *app, const script_command *command, const char *rule)
{
    snprintf(app->error, sizeof app->error, "--script: %s: line %u: %s", script->path, command->line, rule);
    return false;
}

/* Where a `move` goes; false where the frame has no such area. */
static bool find_place(const window_app *app, const script_command *command, float *x, float *y)
{
    if (command->argument_count == 2) {
        *x = strtof(command->arguments[0], NULL);
        *y = strtof(command->arguments[1], NULL);
        return true;
    }
    const ui_area *area = ui_find_area(&app->ui, command->arguments[0]);
    if (!area)
        return false;
    *x = area->rect.x + area->rect.w * strtof(command->arguments[1], NULL);
    *y = area->rect.y + area->rect.h * strtof(command->arguments[2], NULL);
    return true;
}

static bool press_key(window_app *app, const char *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!strcmp(keys[i].name, name)) {
            input_key(app, keys[i].key);
            return true;
        }
    return false;
}

/* What the state asks for is on the screen. */
static bool has_results(const window_app *app)
{
    return app->numbers.version == app->state.version && app->redraws == 0;
}

static bool follow(window_script *script, window_app *app, const script_command *command, screenshot *shot)
{
    char *const *arguments = command->arguments;
    float x, y;
    switch (command->kind) {
    case COMMAND_MOVE:
        if (!find_place(app, command, &x, &y))
            return fail(script, app, command, "no such area in this frame");
        input_move(app, x, y);
        break;
    case COMMAND_PRESS: input_button(app, true); break;
    case COMMAND_RELEASE: input_button(app, false); break;
    case COMMAND_WHEEL: input_wheel(app, strtof(arguments[0], NULL)); break;
    case COMMAND_KEY:
        if (!press_key(app, arguments[0]))
            return fail(script, app, command, "no such key");
        break;
    case COMMAND_RESIZE: glfwSetWindowSize(app->window, atoi(arguments[0]), atoi(arguments[1])); break;
    case COMMAND_SCALE: input_scale(app, strtof(arguments[0], NULL)); break;
    case COMMAND_MINIMISE: input_minimise(app, true); break;
    case COMMAND_RESTORE: input_minimise(app, false); break;
    case COMMAND_DROP: input_drop(app, arguments[0]); break;
    case COMMAND_FRAMES: script->pause = (uint32_t)atoi(arguments[0]); break;
    case COMMAND_SCREENSHOT: shot->path = arguments[0]; break;
    case COMMAND_STATE: script->state_path = arguments[0]; break;
    case COMMAND_QUIT: glfwSetWindowShouldClose(app->window, GLFW_TRUE); break;
    default: break; /* hold: script_holds; wait: has passed */
    }
    return true;
}

bool script_step(window_script *script, window_app *app, screenshot *shot)
{
    if (script->pause > 0)
        script->pause--;
    if (script->pause > 0 || script->next == script->count)
        return true;
    const script_command *command = &script->commands[script->next];
    if (command->kind == COMMAND_WAIT && !has_results(app))
        return true;
    script->next++;
    return follow(script, app, command, shot);
}
