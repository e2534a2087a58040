/* smoe-window: hard and smooth routing side by side, live, on an app's own Vulkan device with graphics and compute.
 *
 * A turn of the loop: input to Nuklear and the state; results that have come are shown; the widgets; a request to the
 * compute queue if the state has changed; the frame. Nothing in it waits for the results. */
#include "app.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "input.h"
#include "program/data.h"
#include "program/options.h"
#include "program/output.h"
#include "program/progress.h"
#include "screenshot.h"
#include "script.h"
#include "state_file.h"

enum { WIDTH = 1280, HEIGHT = 800 };
#define LOADING_TURN 0.1 /* seconds between frames while the model is made */
#define WORKING_TURN 0.001

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static char glfw_reason[256]; /* of GLFW's last error, which has no user pointer */

static void receive_glfw_error(int code, const char *text)
{
    (void)code;
    snprintf(glfw_reason, sizeof glfw_reason, "%s", text);
}

static bool fail(window_app *app, const char *what, const char *why)
{
    snprintf(app->error, sizeof app->error, "%s%s%s", what, *why ? ": " : "", why);
    return false;
}

static bool create_window(window_app *app)
{
    const double scale = app->options.scale > 0 ? app->options.scale : 1;
    float system_scale = 1, ignored;
    glfwSetErrorCallback(receive_glfw_error);
    if (!glfwInit())
        return fail(app, "there is no display to open a window on", glfw_reason);
    glfwWindowHint(GLFW_CLIENT_API, GLFW_NO_API);
    glfwWindowHint(GLFW_SCALE_TO_MONITOR, app->options.scale > 0 ? GLFW_FALSE : GLFW_TRUE);
    app->window =
        glfwCreateWindow((int)(WIDTH * scale), (int)(HEIGHT * scale), "smoe: hard and smooth routing", NULL, NULL);
    if (!app->window)
        return fail(app, "no window can be opened", glfw_reason);
    glfwGetWindowContentScale(app->window, &system_scale, &ignored);
    input_connect(app);
    input_scale(app, app->options.scale > 0 ? (float)app->options.scale : system_scale);
    return true;
}

static void describe_device(window_app *app)
{
    const window_device *device = &app->device;
    snprintf(app->device_line, sizeof app->device_line, "%s, computing on %s", device->info.name,
             device->graphics_family == device->compute_family ? "the queue that draws" : "a queue of its own");
}

static bool begin(window_app *app)
{
    const bool vsync = !app->options.no_vsync;
    if (!create_window(app))
        return false;
    if (!window_device_create(&app->device, app->window, app->options.device, app->options.validate) ||
        !window_swapchain_create(&app->swapchain, &app->device, vsync) ||
        !window_draw_create(&app->draw, &app->device, app->swapchain.render_pass))
        return fail(app, app->device.error, "");
    if (!ui_create(&app->ui))
        return fail(app, "out of memory", "");
    if (app->options.pictures) {
        if (!model_pictures_create(&app->model, &app->device, &app->pictures))
            return fail(app, app->model.error, "");
        state_begin_pictures(&app->state, &app->pictures, &app->model.defaults);
    } else {
        if (!model_digits_create(&app->model, &app->device, &app->digits))
            return fail(app, "out of memory", "");
        state_begin(&app->state, &app->data, &app->model.defaults);
    }
    describe_device(app);
    app->state.vsync = vsync;
    return true;
}

/* ---- a turn ------------------------------------------------------------------------------------------------------ */

/* Whether the work's objects are there: the loading thread has made them, and has ended. */
static bool is_loaded(const window_app *app)
{
    return !app->loader.started && loader_look(&app->loader) == LOADER_DONE;
}

/* Waits for events where nothing else is to be done. */
static void take_input(window_app *app, bool scripted)
{
    const bool loading = app->numbers.version == 0;
    if (scripted || app->redraws > 0)
        glfwPollEvents();
    else if (is_loaded(app) && window_work_runs(&app->work))
        glfwWaitEventsTimeout(WORKING_TURN);
    else if (loading)
        glfwWaitEventsTimeout(LOADING_TURN);
    else
        glfwWaitEvents();
    app->redraws += loading && app->redraws == 0;
}

/* The model is made on its thread; then its results get their descriptor sets. */
static bool look_after_loading(window_app *app, bool held)
{
    window_loader *loader = &app->loader;
    if (!loader->started && loader_look(loader) == LOADER_IDLE && !held &&
        !loader_start(loader, &app->model, &app->work))
        return fail(app, "no thread can be started", "");
    switch (loader_look(loader)) {
    case LOADER_FAILED: return fail(app, app->model.error[0] ? app->model.error : app->device.error, "");
    case LOADER_DONE:
        if (!loader->started)
            return true;
        loader_join(loader);
        return window_draw_set_results(&app->draw, &app->model) || fail(app, app->device.error, "");
    default: return true;
    }
}

static bool look_after_work(window_app *app)
{
    if (!is_loaded(app))
        return true;
    const int before = app->work.shown;
    if (!window_work_poll(&app->work))
        return fail(app, app->device.error, "");
    if (app->work.shown != before) {
        if (before < 0)
            app->asked = 0; /* once more: the first run may compile, and its time says nothing */
        numbers_update(&app->numbers, &app->work);
        app->redraws = app->redraws > 2 ? app->redraws : 2;
    }
    return true;
}

static bool ask(window_app *app)
{
    model_request request;
    bool started;
    if (!is_loaded(app) || app->asked == app->state.version)
        return true;
    state_fill_request(&app->state, &request);
    if (!window_work_start(&app->work, &app->swapchain, &request, app->state.version, &started))
        return fail(app, app->model.error[0] ? app->model.error : app->device.error, "");
    if (started)
        app->asked = app->state.version;
    else if (app->redraws == 0 && !window_work_runs(&app->work))
        app->redraws = 1; /* a frame on its way still shows the slot that is wanted */
    return true;
}

/* What the window's size, scale and vsync have become. */
static bool follow_window(window_app *app)
{
    if (app->swapchain.vsync != app->state.vsync) {
        app->swapchain.vsync = app->state.vsync;
        window_swapchain_outdate(&app->swapchain);
    }
    if (!app->rescale)
        return true;
    app->rescale = false;
    return (window_swapchain_wait(&app->swapchain) && ui_set_scale(&app->ui, &app->draw, app->scale)) ||
           fail(app, app->device.error, "");
}

static void build(window_app *app, int width, int height)
{
    const ui_facts facts = {.numbers = &app->numbers,
                            .plan = &app->model.plan,
                            .model = &app->model,
                            .device = app->device_line,
                            .loading = app->numbers.version == 0 ? "compiling shaders ..." : NULL,
                            .frame_milliseconds = app->frame_milliseconds};
    ui_build(&app->ui, &app->state, &facts, (float)width / app->scale, (float)height / app->scale);
}

/* ---- a frame ----------------------------------------------------------------------------------------------------- */

static bool record(window_app *app, VkCommandBuffer commands, screenshot *shot)
{
    static const float paper[4] = {1, 1, 1, 1};
    const int slot = app->numbers.version > 0 ? app->work.shown : -1;
    window_frame_begin_pass(&app->swapchain, paper);
    if (!window_draw_record(&app->draw, commands, window_frame_slot(&app->swapchain), &app->ui.nk, &app->ui.list,
                            app->ui.white, app->swapchain.size, app->scale, slot))
        return false;
    vkCmdEndRenderPass(commands);
    return !shot->path || screenshot_record(shot, &app->swapchain, commands);
}

static bool draw(window_app *app, int width, int height, screenshot *shot)
{
    VkCommandBuffer commands;
    VkSemaphore waits[MODEL_SLOTS];
    const window_begun begun = window_frame_begin(&app->swapchain, (uint32_t)width, (uint32_t)height, &commands);
    if (begun == WINDOW_NOT_NOW) {
        app->redraws++;
        return true;
    }
    if (begun == WINDOW_FAILED || !record(app, commands, shot))
        return fail(app, app->device.error, "");
    const uint32_t count = app->numbers.version > 0 ? window_work_show(&app->work, app->swapchain.frame, waits) : 0;
    if (!window_frame_end(&app->swapchain, waits, count) || (shot->path && !screenshot_write(shot, &app->swapchain)))
        return fail(app, app->device.error, "");
    if (app->first_frame == 0)
        app->first_frame = program_now();
    return true;
}

static bool turn(window_app *app, window_script *script, screenshot *shot)
{
    int width, height;
    nk_input_begin(&app->ui.nk);
    take_input(app, script_runs(script) || shot->path);
    const double begun = program_now();
    const bool stepped = shot->path || script_step(script, app, shot);
    nk_input_end(&app->ui.nk);
    if (!stepped || !look_after_loading(app, script_holds(script)) || !look_after_work(app) || !follow_window(app))
        return false;
    glfwGetFramebufferSize(app->window, &width, &height);
    if (app->minimised || width == 0 || height == 0) {
        if (!script_runs(script))
            glfwWaitEvents();
        return true;
    }
    if (app->redraws == 0 && !shot->path && !script->state_path)
        return ask(app);
    build(app, width, height);
    if (app->redraws > 0)
        app->redraws--;
    if (!ask(app) || !draw(app, width, height, shot))
        return false;
    nk_clear(&app->ui.nk);
    app->frame_milliseconds = (program_now() - begun) * 1e-6;
    const char *state_path = script->state_path;
    script->state_path = NULL;
    return !state_path || state_file_write(app, state_path);
}

static void end(window_app *app, screenshot *shot)
{
    loader_join(&app->loader);
    if (app->device.device)
        vkDeviceWaitIdle(app->device.device);
    screenshot_release(shot, &app->device);
    window_work_destroy(&app->work);
    if (app->model.functions)
        app->model.functions->destroy(&app->model);
    ui_destroy(&app->ui);
    window_draw_destroy(&app->draw);
    window_swapchain_destroy(&app->swapchain);
    window_device_destroy(&app->device);
    if (app->window)
        glfwDestroyWindow(app->window);
    glfwTerminate();
}

static int run(window_app *app, window_script *script)
{
    screenshot shot = {.path = NULL};
    bool running = begin(app);
    while (running && !glfwWindowShouldClose(app->window))
        running = turn(app, script, &shot);
    end(app, &shot);
    if (!running)
        program_say("smoe-window", "%s", app->error);
    return running && app->device.messages == 0 ? PROGRAM_OK : PROGRAM_FAILED;
}

static void print_log(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    if (level == SMOE_LOG_ERROR)
        program_say("smoe-window", "%s", text);
}

/* What there are rows, colours and curves for. */
static bool has_room_for(const smoe_plan_desc *plan, uint32_t class_count)
{
    enum { MOST_EXPERTS = 16 };
    if (plan->expert_count > MOST_EXPERTS)
        program_say("smoe-window", "the model has %u experts: at most %d are shown", plan->expert_count, MOST_EXPERTS);
    else if (class_count > MODEL_MAX_CLASSES)
        program_say("smoe-window", "the model has %u classes: at most %u are shown", class_count, MODEL_MAX_CLASSES);
    else
        return true;
    return false;
}

static bool can_show(const vision_model *model)
{
    bool good = model->expert_block_count > 0;
    if (!good)
        program_say("smoe-window", "the model has no block with experts");
    for (uint32_t b = 0; good && b < model->depth; b++)
        good = !model->blocks[b].experts || has_room_for(&model->blocks[b].plan, model->class_count);
    return good;
}

/* The pictures' model, and those of the command line. */
static bool open_pictures(window_app *app, const char *program)
{
    static const smoe_log log = {print_log, NULL}; /* as long as the model */
    window_pictures *pictures = &app->pictures;
    const window_options *options = &app->options;
    static char found[SMOE_SYSTEM_NAME_SIZE]; /* as long as the model */
    if (!options->model && !program_find_data("smoe-window", program, "--model", "vision/model.safetensors", found))
        return false;
    if (!pictures_open(pictures, options->model ? options->model : found, &log) || !can_show(&pictures->model))
        return false;
    bool added = options->picture_count > 0 || pictures_add_grey(pictures);
    for (uint32_t i = 0; added && i < options->picture_count; i++)
        added = pictures_add(pictures, options->picture_paths[i]);
    if (!added)
        program_say("smoe-window", "%s", pictures->reason);
    return added;
}

static bool open_digits(window_app *app, const char *program)
{
    return digits_open_data(&app->data, "smoe-window", program, app->options.data) &&
           digits_open_model(&app->digits, "smoe-window", program, app->options.model) &&
           has_room_for(&app->digits.plan, DIGITS_CLASSES);
}

int main(int argc, char **argv)
{
    static window_app app; /* too large for a stack */
    window_script script = {.path = NULL};
    int status;
    app.began = program_now();
    program_begin("smoe-window");
    if (!window_read_options(&app.options, argc, argv, &status))
        return status;
    status = PROGRAM_REFUSED;
    const bool opened = app.options.pictures ? open_pictures(&app, argv[0]) : open_digits(&app, argv[0]);
    if (opened && (!app.options.script || script_open(&script, app.options.script)))
        status = run(&app, &script);
    script_close(&script);
    pictures_close(&app.pictures);
    digits_close_data(&app.data);
    digits_close_model(&app.digits);
    return program_end("smoe-window", status);
}
