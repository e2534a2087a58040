/* Input: to Nuklear, and keys to the state. */
#include "input.h"

enum { REDRAWS = 3 }; /* after an event: what a widget shows follows a frame or two later */

/* To a place from where the brush was. Every event paints, however many come between two frames. */
static void paint(window_app *app, const ui_area *canvas, float x, float y, bool begins)
{
    const float to_x = (x - canvas->rect.x) / canvas->rect.w * CANVAS_SIDE;
    const float to_y = (y - canvas->rect.y) / canvas->rect.h * CANVAS_SIDE;
    state_paint(&app->state, begins ? to_x : app->brush_x, begins ? to_y : app->brush_y, to_x, to_y);
    app->brush_x = to_x;
    app->brush_y = to_y;
}

void input_move(window_app *app, float x, float y)
{
    const ui_area *canvas = ui_find_area(&app->ui, "canvas");
    nk_input_motion(&app->ui.nk, (int)x, (int)y);
    if (app->paints && canvas)
        paint(app, canvas, x, y, false);
    app->redraws = REDRAWS;
}

void input_button(window_app *app, bool down)
{
    const struct nk_vec2 at = app->ui.nk.input.mouse.pos;
    const ui_area *canvas = app->state.pictures ? NULL : ui_find_area(&app->ui, "canvas"); /* nobody paints pictures */
    nk_input_button(&app->ui.nk, NK_BUTTON_LEFT, (int)at.x, (int)at.y, down);
    app->paints =
        down && canvas && NK_INBOX(at.x, at.y, canvas->rect.x, canvas->rect.y, canvas->rect.w, canvas->rect.h);
    if (app->paints)
        paint(app, canvas, at.x, at.y, true);
    app->redraws = REDRAWS;
}

void input_wheel(window_app *app, float by)
{
    nk_input_scroll(&app->ui.nk, nk_vec2(0, by));
    app->redraws = REDRAWS;
}

void input_minimise(window_app *app, bool minimised)
{
    app->minimised = minimised;
    app->redraws = REDRAWS;
}

void input_scale(window_app *app, float scale)
{
    app->rescale = app->rescale || scale != app->scale;
    app->scale = scale;
    app->redraws = REDRAWS;
}

static void clear(window_state *state)
{
    if (!state->pictures)
        state_clear(state);
}

static void choose(window_state *state, digit_choice *digit, uint32_t *picture)
{
    if (state->pictures)
        state_choose_picture(state, picture);
    else
        state_choose(state, digit);
}

void input_key(window_app *app, int key)
{
    window_state *state = &app->state;
    const double width = state->high - state->low, middle = (state->low + state->high) / 2;
    app->redraws = REDRAWS;
    switch (key) {
    case GLFW_KEY_LEFT: state_step(state, -1); break;
    case GLFW_KEY_RIGHT: state_step(state, 1); break;
    case GLFW_KEY_DELETE: clear(state); break;
    case GLFW_KEY_F: choose(state, &state->from, &state->from_picture); break;
    case GLFW_KEY_T: choose(state, &state->to, &state->to_picture); break;
    case GLFW_KEY_L: state_show_logits(state, !state->logits); break;
    case GLFW_KEY_V: state->vsync = !state->vsync; break;
    case GLFW_KEY_UP: state_look_at(state, middle - width / 4, middle + width / 4); break;
    case GLFW_KEY_DOWN: state_look_at(state, middle - width, middle + width); break;
    case GLFW_KEY_HOME: state_whole_path(state); break;
    case GLFW_KEY_ESCAPE: glfwSetWindowShouldClose(app->window, GLFW_TRUE); break;
    default: break;
    }
}

void input_drop(window_app *app, const char *path)
{
    window_pictures *pictures = &app->pictures;
    app->redraws = REDRAWS;
    if (!app->state.pictures) {
        app->state.dropped = true;
        return;
    }
    pictures->reason[0] = '\0';
    if (!pictures_add(pictures, path))
        return;
    state_show_picture(&app->state, pictures->count - 1);
}

/* ---- GLFW's callbacks -------------------------------------------------------------------------------------------- */

static void on_move(GLFWwindow *window, double x, double y)
{
    window_app *app = glfwGetWindowUserPointer(window);
    int width, height, pixels_wide, pixels_high;
    glfwGetWindowSize(window, &width, &height);
    glfwGetFramebufferSize(window, &pixels_wide, &pixels_high);
    if (width > 0) /* GLFW's own units differ between systems */
        x *= pixels_wide / (double)width, y *= pixels_wide / (double)width;
    input_move(app, (float)x / app->scale, (float)y / app->scale);
}

static void on_button(GLFWwindow *window, int button, int action, int mods)
{
    (void)mods;
    if (button == GLFW_MOUSE_BUTTON_LEFT)
        input_button(glfwGetWindowUserPointer(window), action == GLFW_PRESS);
}

static void on_wheel(GLFWwindow *window, double x, double y)
{
    (void)x;
    input_wheel(glfwGetWindowUserPointer(window), (float)y);
}

static void on_key(GLFWwindow *window, int key, int code, int action, int mods)
{
    (void)code;
    (void)mods;
    if (action != GLFW_RELEASE)
        input_key(glfwGetWindowUserPointer(window), key);
}

static void on_drop(GLFWwindow *window, int count, const char **paths)
{
    for (int i = 0; i < count; i++)
        input_drop(glfwGetWindowUserPointer(window), paths[i]);
}

static void on_minimise(GLFWwindow *window, int minimised)
{
    input_minimise(glfwGetWindowUserPointer(window), minimised == GLFW_TRUE);
}

static void on_scale(GLFWwindow *window, float x, float y)
{
    window_app *app = glfwGetWindowUserPointer(window);
    (void)y;
    if (!(app->options.scale > 0))
        input_scale(app, x);
}

static void on_refresh(GLFWwindow *window)
{
    window_app *app = glfwGetWindowUserPointer(window);
    app->redraws = REDRAWS;
}

static void on_size(GLFWwindow *window, int width, int height)
{
    (void)width;
    (void)height;
    on_refresh(window);
}

void input_connect(window_app *app)
{
    GLFWwindow *window = app->window;
    glfwSetWindowUserPointer(window, app);
    glfwSetCursorPosCallback(window, on_move);
    glfwSetMouseButtonCallback(window, on_button);
    glfwSetScrollCallback(window, on_wheel);
    glfwSetKeyCallback(window, on_key);
    glfwSetDropCallback(window, on_drop);
    glfwSetWindowIconifyCallback(window, on_minimise);
    glfwSetWindowContentScaleCallback(window, on_scale);
    glfwSetWindowRefreshCallback(window, on_refresh);
    glfwSetFramebufferSizeCallback(window, on_size);
}
