/* The vision engine in command buffers of an app's own: hard and smooth side by side, routing that changes from run to
 * run, a path in many small runs, and engines that one thread makes while another one runs. */
#include "engine_fixture.h"

#include <math.h>
#include <string.h>

#include "../embed/own_work.h"
#include "common/cmocka_all.h"

/* What vision_engine_run of an engine made for it leaves: in slot 0. */
static vision_engine *create_expected(engine_fixture *fixture, const vision_model *model, float eps)
{
    float logits[FIXTURE_IMAGES * 64];
    vision_engine *engine = engine_fixture_create(fixture, model, 1, eps);
    assert_in_range(model->class_count, 1, 64);
    assert_true(vision_engine_run(engine, fixture->images, FIXTURE_IMAGES, logits, NULL));
    assert_memory_equal(logits, vision_engine_logits(engine, 0).mapped,
                        sizeof *logits * FIXTURE_IMAGES * model->class_count);
    return engine;
}

/* A hard and a smooth run over the same images, in one command buffer. */
static void test_side_by_side(void **state)
{
    engine_fixture *fixture = *state;
    enum { IMAGES, HARD, SMOOTH, SLOTS };
    vision_engine *hard = create_expected(fixture, &fixture->model, 0),
                  *smooth = create_expected(fixture, &fixture->model, NAN);
    vision_engine *engine = engine_fixture_create(fixture, &fixture->model, SLOTS, NAN);
    vision_run run = {IMAGES, HARD, FIXTURE_IMAGES, vision_routing_defaults()};
    vision_times times[SLOTS];

    engine_fixture_fill(fixture, engine, IMAGES, 0, FIXTURE_IMAGES);
    const VkCommandBuffer commands = engine_fixture_begin(fixture);
    run.routing.eps = 0;
    assert_true(vision_engine_record(engine, commands, &run));
    run.routing.eps = NAN;
    run.slot = SMOOTH;
    assert_true(vision_engine_record(engine, commands, &run));
    engine_fixture_submit(fixture, commands);

    assert_true(engine_fixture_same_logits(engine, HARD, hard, 0, FIXTURE_IMAGES));
    assert_true(engine_fixture_same_logits(engine, SMOOTH, smooth, 0, FIXTURE_IMAGES));
    assert_false(engine_fixture_same_logits(hard, 0, smooth, 0, FIXTURE_IMAGES));
    assert_true(engine_fixture_same_reports(fixture, engine, HARD, hard, 0, FIXTURE_IMAGES));
    assert_true(engine_fixture_same_reports(fixture, engine, SMOOTH, smooth, 0, FIXTURE_IMAGES));
    assert_false(engine_fixture_same_reports(fixture, hard, 0, smooth, 0, FIXTURE_IMAGES));
    for (uint32_t s = HARD; s < SLOTS && fixture->app.info.timestamp_period > 0; s++) {
        double stages = 0;
        assert_true(vision_engine_times(engine, s, &times[s]));
        for (int i = 0; i < VISION_STAGE_COUNT; i++)
            stages += times[s].stage[i];
        assert_true(times[s].device > 0 && fabs(stages - times[s].device) <= 1e-6 * times[s].device);
    }
    vision_engine_destroy(engine);
    vision_engine_destroy(smooth);
    vision_engine_destroy(hard);
}

/* What a fresh engine has from its model, a run has from its routing. */
static void test_routing_of_a_run(void **state)
{
    static const vision_routing routings[] = {{.eps = 0.4f, .temperature = NAN, .a = NAN, .b = NAN},
                                              {.eps = 2, .max_active = 3, .temperature = NAN, .a = NAN, .b = NAN},
                                              {.eps = 2, .temperature = 1.7f, .a = NAN, .b = NAN},
                                              {.eps = 2, .temperature = NAN, .a = 2, .b = 3},
                                              {.eps = 0, .temperature = 0.5f, .a = 5, .b = 5}};
    enum { COUNT = sizeof routings / sizeof *routings };
    engine_fixture *fixture = *state;
    vision_engine *engine = engine_fixture_create(fixture, &fixture->model, COUNT, NAN), *expected[COUNT];

    engine_fixture_fill(fixture, engine, 0, 0, FIXTURE_IMAGES);
    for (uint32_t i = 0; i < COUNT; i++) {
        const vision_routing *r = &routings[i];
        vision_model model = fixture->model;
        for (uint32_t b = 0; b < model.depth; b++) {
            smoe_forward_params *params = &model.blocks[b].params;
            params->temperature = isnan(r->temperature) ? params->temperature : r->temperature;
            params->a = isnan(r->a) ? params->a : r->a;
            params->b = isnan(r->b) ? params->b : r->b;
            model.blocks[b].plan.max_active = r->max_active ? r->max_active : model.blocks[b].plan.max_active;
        }
        expected[i] = create_expected(fixture, &model, r->eps);
        engine_fixture_run(fixture, engine, &(vision_run){0, i, FIXTURE_IMAGES, *r});
        assert_true(engine_fixture_same_logits(engine, i, expected[i], 0, FIXTURE_IMAGES));
        for (uint32_t j = 0; j < i; j++) /* each number matters */
            assert_false(engine_fixture_same_logits(engine, i, engine, j, FIXTURE_IMAGES));
        vision_engine_destroy(expected[i]);
    }
    vision_engine_destroy(engine);
}

/* The path between two images, a few points in each frame: as many slots as it has frames. */
static void test_path(void **state)
{
    enum { FRAMES = 4, POINTS = FRAMES * FIXTURE_IMAGES - 1 /* the last run has fewer */ };
    engine_fixture *fixture = *state;
    const size_t numbers = fixture->image_numbers;
    vision_engine *engine = engine_fixture_create(fixture, &fixture->model, FRAMES, NAN),
                  *one = engine_fixture_create(fixture, &fixture->model, 1, NAN);
    const float *from = fixture->images, *to = from + numbers;
    const VkDeviceSize distance =
        vision_engine_logits(engine, 1).buffer.offset - vision_engine_logits(engine, 0).buffer.offset;
    float logits[64];

    for (uint32_t f = 0; f < FRAMES; f++) {
        const uint32_t first = f * FIXTURE_IMAGES, left = POINTS - first;
        const vision_run run = {f, f, left < FIXTURE_IMAGES ? left : FIXTURE_IMAGES, vision_routing_defaults()};
        float *images = vision_engine_images(engine, f).mapped;
        for (uint32_t i = 0; i < run.count; i++)
            vision_blend(from, to, (float)(first + i) / (POINTS - 1), numbers, images + i * numbers);
        engine_fixture_run(fixture, engine, &run);
        assert_int_equal(vision_engine_logits(engine, f).buffer.offset,
                         vision_engine_logits(engine, 0).buffer.offset + f * distance);
        assert_ptr_equal(vision_engine_logits(engine, f).buffer.buffer, vision_engine_logits(engine, 0).buffer.buffer);
    }
    assert_memory_equal(vision_engine_images(engine, 0).mapped, from, sizeof *from * numbers);
    assert_memory_equal((float *)vision_engine_images(engine, FRAMES - 1).mapped + (FIXTURE_IMAGES - 2) * numbers, to,
                        sizeof *to * numbers);
    for (uint32_t p = 0; p < POINTS; p++) {
        const uint32_t f = p / FIXTURE_IMAGES, i = p % FIXTURE_IMAGES, classes = fixture->model.class_count;
        const float *images = vision_engine_images(engine, f).mapped, *found = vision_engine_logits(engine, f).mapped;
        assert_true(vision_engine_run(one, images + i * numbers, 1, logits, NULL));
        assert_memory_equal(logits, found + i * classes, sizeof *logits * classes);
    }
    vision_engine_destroy(one);
    vision_engine_destroy(engine);
}

/* Images that a shader of the app's writes, before runs without a barrier of the app's between. */
static void test_images_from_a_shader(void **state)
{
    engine_fixture *fixture = *state;
    test_app *app = &fixture->app;
    const size_t numbers = (size_t)FIXTURE_IMAGES * fixture->image_numbers;
    vision_engine *engine = engine_fixture_create(fixture, &fixture->model, 2, NAN),
                  *expected = engine_fixture_create(fixture, &fixture->model, 1, NAN);
    float *twice = test_calloc(numbers, sizeof *twice), logits[FIXTURE_IMAGES * 64];
    own_work work;

    for (size_t i = 0; i < numbers; i++)
        twice[i] = 2 * fixture->images[i];
    assert_true(vision_engine_run(expected, twice, FIXTURE_IMAGES, logits, NULL));
    engine_fixture_fill(fixture, engine, 0, 0, FIXTURE_IMAGES);
    app->parts[APP_X] = vision_engine_images(engine, 0).buffer;
    app->parts[APP_Y] = vision_engine_images(engine, 1).buffer;
    assert_true(own_work_create(app, &work));
    const VkCommandBuffer commands = engine_fixture_begin(fixture);
    assert_true(own_work_scale(app, &work, APP_X, APP_Y, 2));
    assert_true(vision_engine_record(engine, commands, &(vision_run){1, 0, FIXTURE_IMAGES, vision_routing_defaults()}));
    engine_fixture_submit(fixture, commands);
    assert_true(engine_fixture_same_logits(engine, 0, expected, 0, FIXTURE_IMAGES));
    own_work_destroy(app, &work);
    test_free(twice);
    vision_engine_destroy(expected);
    vision_engine_destroy(engine);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void refuse(engine_fixture *fixture, vision_engine *engine, const vision_run *run, const char *text)
{
    const VkCommandBuffer commands = engine_fixture_begin(fixture);
    assert_false(vision_engine_record(engine, commands, run));
    assert_int_equal(test_record_problem_count(&fixture->record), 1);
    assert_true(test_record_has_problem(&fixture->record, text));
    test_record_clear(&fixture->record);
    engine_fixture_submit(fixture, commands); /* which may go on */
}

static void test_refusals(void **state)
{
    engine_fixture *fixture = *state;
    vision_engine *engine = engine_fixture_create(fixture, &fixture->model, 2, NAN), *none;
    const vision_engine_desc too_many = {.max_batch = 1, .slots = VISION_MAX_SLOTS + 1, .eps = NAN};
    const vision_routing own = vision_routing_defaults();
    vision_routing wrong = own;

    engine_fixture_fill(fixture, engine, 0, 0, FIXTURE_IMAGES);
    engine_fixture_run(fixture, engine, &(vision_run){0, 0, FIXTURE_IMAGES, own});
    refuse(fixture, engine, &(vision_run){0, 2, 1, own}, "a run's slots must be below the engine's 2");
    refuse(fixture, engine, &(vision_run){2, 0, 1, own}, "a run's slots must be below the engine's 2");
    refuse(fixture, engine, &(vision_run){0, 0, 0, own}, "a run must have 1 .. 3 images");
    refuse(fixture, engine, &(vision_run){0, 0, FIXTURE_IMAGES + 1, own}, "a run must have 1 .. 3 images");
    wrong.eps = -1;
    refuse(fixture, engine, &(vision_run){0, 0, 1, wrong}, "eps");
    wrong = own;
    wrong.temperature = 0;
    refuse(fixture, engine, &(vision_run){0, 0, 1, wrong}, "temperature");
    wrong = own;
    wrong.max_active = 1000;
    refuse(fixture, engine, &(vision_run){0, 0, 1, wrong}, "max_active");
    engine_fixture_run(fixture, engine, &(vision_run){0, 1, FIXTURE_IMAGES, own}); /* it is as good as before */
    assert_true(engine_fixture_same_logits(engine, 0, engine, 1, FIXTURE_IMAGES));
    vision_engine_destroy(engine);

    none = (vision_engine *)fixture;
    assert_false(vision_engine_create(fixture->gpu, &fixture->model, &too_many, &none));
    assert_null(none);
    assert_true(test_record_has_problem(&fixture->record, "1025 slots, but an engine has at most 1024"));
    test_record_clear(&fixture->record);
}

static void test_memory(void **state)
{
    engine_fixture *fixture = *state;
    vision_engine *one = engine_fixture_create(fixture, &fixture->model, 1, NAN),
                  *five = engine_fixture_create(fixture, &fixture->model, 5, NAN);
    const vision_memory a = vision_engine_memory(one), b = vision_engine_memory(five);
    assert_true(a.weights > 0 && a.activations > 0);
    assert_true(a.slots >= sizeof(float) * FIXTURE_IMAGES * fixture->image_numbers);
    assert_int_equal(b.slots, 5 * a.slots);
    assert_int_equal(b.weights, a.weights);
    assert_int_equal(b.activations, a.activations);
    vision_engine_destroy(five);
    vision_engine_destroy(one);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

typedef struct loader {
    engine_fixture *fixture;
    pthread_mutex_t mutex;
    uint32_t progress_calls;
    bool done, created;
    float logits[FIXTURE_IMAGES * 64];
} loader;

static void count_progress(void *user, uint32_t done, uint32_t total)
{
    loader *l = user;
    l->progress_calls += done < total;
}

/* Two engines, the second beside pipelines that are there; and a run, which uses the queue. */
static void *load(void *user)
{
    loader *l = user;
    const vision_engine_desc desc = {.max_batch = FIXTURE_IMAGES,
                                     .eps = NAN,
                                     .weight_type = SMOE_TYPE_FLOAT16,
                                     .progress = count_progress,
                                     .user = l};
    vision_engine *engine = NULL;
    bool created = true;
    for (int i = 0; i < 2; i++) {
        created = created && vision_engine_create(l->fixture->gpu, &l->fixture->model, &desc, &engine) &&
                  vision_engine_run(engine, l->fixture->images, FIXTURE_IMAGES, l->logits, NULL);
        vision_engine_destroy(engine);
    }
    pthread_mutex_lock(&l->mutex);
    l->created = created;
    l->done = true;
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

static bool is_done(loader *l)
{
    pthread_mutex_lock(&l->mutex);
    const bool done = l->done;
    pthread_mutex_unlock(&l->mutex);
    return done;
}

/* One thread loads while another one runs an engine that it has, on the same queue. */
static void test_loading_beside_runs(void **state)
{
    engine_fixture *fixture = *state;
    vision_engine *expected = create_expected(fixture, &fixture->model, NAN),
                  *engine = engine_fixture_create(fixture, &fixture->model, 2, NAN);
    loader l = {.fixture = fixture, .mutex = PTHREAD_MUTEX_INITIALIZER};
    const uint32_t locks = fixture->lock_count;
    vision_times times;
    pthread_t thread;
    uint32_t runs = 0, wrong = 0; /* nothing is asserted while there are two threads */

    engine_fixture_fill(fixture, engine, 0, 0, FIXTURE_IMAGES);
    assert_int_equal(pthread_create(&thread, NULL, load, &l), 0);
    do {
        const uint32_t slot = runs++ % 2;
        engine_fixture_run(fixture, engine, &(vision_run){0, slot, FIXTURE_IMAGES, vision_routing_defaults()});
        wrong += !engine_fixture_same_logits(engine, slot, expected, 0, FIXTURE_IMAGES);
        wrong += vision_engine_times(engine, slot, &times) != (fixture->app.info.timestamp_period > 0);
    } while (!is_done(&l));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(l.created);
    assert_int_equal(wrong, 0);
    assert_true(l.progress_calls > 0);
    assert_true(fixture->lock_count >= locks + 2);
    print_message("%u runs beside the thread that loads\n", runs);
    vision_engine_destroy(engine);
    vision_engine_destroy(expected);
}

static int setup(void **state)
{
    static engine_fixture fixture;
    engine_fixture_open(&fixture);
    const gpu_desc desc = engine_fixture_describe(&fixture, vkGetInstanceProcAddr, NULL);
    *state = &fixture;
    return gpu_create(&desc, &fixture.gpu) ? 0 : -1;
}

/* The last test: validation finds objects left behind. */
static void test_closes(void **state)
{
    engine_fixture_close(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_routing_of_a_run),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_images_from_a_shader),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_loading_beside_runs),
        cmocka_unit_test(test_closes),
    };

    return cmocka_run_group_tests_name("engine", tests, setup, NULL);
}
