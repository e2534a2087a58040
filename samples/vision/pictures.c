/* Pictures through the engine, in batches; and the mode that shows each picture's best classes. */
#include "program/output.h"
#include "program/progress.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/text.h"

#define BAR_WIDTH 40

static void add_times(classify_times *times, const vision_times *run)
{
    for (int i = 0; i < VISION_STAGE_COUNT; i++)
        times->runs.stage[i] += run->stage[i];
    times->runs.device += run->device;
    times->runs.host += run->host;
    times->run_count++;
}

static bool read_picture(classify_session *session, const char *path, float *out, classify_result *result)
{
    const double begin = program_now();
    image picture;
    if (!image_read(&picture, path, result->reason))
        return vision_fail("%s %s", path, result->reason);
    const bool done =
        image_prepare(&picture, session->model, out, result->reason) &&
        (!session->options->report || image_shrink(&picture, CLASSIFY_SHOWN_SIDE, &result->original, result->reason));
    result->width = picture.width;
    result->height = picture.height;
    image_release(&picture);
    session->times.reading += program_now() - begin;
    session->times.pictures++;
    return done || vision_fail("%s %s", path, result->reason);
}

bool classify_pictures(classify_session *session, char *const *paths, uint32_t count, classify_seen *seen, void *user)
{
    const vision_model *model = session->model;
    const uint32_t batch = vision_engine_max_batch(session->engine);
    const size_t image_size = 3 * (size_t)model->image_size * model->image_size;
    float *images = malloc(sizeof *images * batch * image_size),
          *logits = malloc(sizeof *logits * batch * model->class_count);
    classify_result *results = malloc(sizeof *results * batch);
    bool done = images && logits && results;

    if (!done)
        vision_fail("out of memory");
    for (uint32_t begin = 0, end; done && begin < count; begin = end) {
        uint32_t read = 0;
        vision_times times;
        end = count - begin < batch ? count : begin + batch;
        for (uint32_t i = begin; i < end; i++) {
            classify_result *result = &results[i - begin];
            *result = (classify_result){.index = i, .place = read};
            if (!read_picture(session, paths[i], images + read * image_size, result))
                continue;
            result->input = images + read * image_size;
            result->logits = logits + (size_t)read++ * model->class_count;
        }
        done = read == 0 || vision_engine_run(session->engine, images, read, logits, &times);
        if (done && read > 0)
            add_times(&session->times, &times);
        for (uint32_t i = begin; i < end; i++) {
            done = done && seen(user, &results[i - begin]);
            free(results[i - begin].original.pixels);
        }
    }
    free(results);
    free(logits);
    free(images);
    return done;
}

/* ---- the mode ---------------------------------------------------------------------------------------------------- */

typedef struct shown {
    const classify_session *session;
    char *const *paths;
    uint32_t count, failed, unsure, kept; /* kept: for --out */
    float *images, *logits; /* NULL without it */
    const char **names;     /* of the kept pictures; NULL without it */
    report *page;           /* NULL without --report */
} shown;

static void print_bar(double share)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int eighths = (int)(share * BAR_WIDTH * 8 + 0.5);
    for (int i = 0; i < eighths / 8; i++)
        fputs("█", program_text());
    fputs(parts[eighths % 8], program_text());
}

static void keep(shown *s, const char *path, const float *input, const float *logits)
{
    const vision_model *model = s->session->model;
    const size_t image_size = 3 * (size_t)model->image_size * model->image_size, classes = model->class_count;
    if (!s->logits)
        return;
    memcpy(s->images + s->kept * image_size, input, image_size * sizeof *input);
    memcpy(s->logits + s->kept * classes, logits, classes * sizeof *logits);
    s->names[s->kept++] = path;
}

static bool show_picture(shown *s, const classify_result *result)
{
    const vision_model *model = s->session->model;
    const uint32_t count = model->class_count < CLASSIFY_BEST ? model->class_count : CLASSIFY_BEST;
    uint32_t best[CLASSIFY_BEST];
    double probability[CLASSIFY_BEST];
    char number[16];

    const bool written = report_add(s->page, s->paths[result->index], result);
    if (!result->logits) {
        s->failed++;
        return written;
    }
    keep(s, s->paths[result->index], result->input, result->logits);
    program_progress_clear();
    program_print(program_text(), s->paths[result->index]);
    program_printf("\n");
    classify_rank(model, result->logits, count, best, probability);
    if (!isfinite(probability[0])) {
        program_printf("  the model gave no finite answer\n\n");
        s->failed++;
        return written;
    }
    if (classify_is_unsure(model, probability[0])) {
        char text[CLASSIFY_UNSURE_SIZE];
        classify_say_unsure(model, text);
        program_printf("  %s\n", text);
        s->unsure++;
    }
    for (uint32_t i = 0; i < count; i++) {
        program_printf("  ");
        program_print_name(program_text(), vision_class_name(model, best[i], number), 20, 40, false);
        program_printf(" %6.2f %%  ", 100 * probability[i]);
        print_bar(probability[i]);
        program_printf("\n");
    }
    program_printf("\n");
    return written;
}

static bool show(void *user, const classify_result *result)
{
    shown *s = user;
    const bool written = show_picture(s, result);
    fflush(program_text());
    if (s->count > 1)
        program_progress(result->index + 1, s->count, "pictures");
    return written;
}

void classify_print_times(const classify_session *session)
{
    const classify_times *times = &session->times;
    const double runs = times->pictures ? 1e-6 / times->pictures : 0;
    program_printf("compiling, s: %.2f (weights and pipelines %.2f, a first run that counts to no picture %.2f)\n",
                   1e-9 * (times->preparing + times->first_run), 1e-9 * times->preparing, 1e-9 * times->first_run);
    program_printf("time per picture, ms, %u picture%s in %u submission%s: read %.2f, host %.2f", times->pictures,
                   times->pictures == 1 ? "" : "s",
           times->run_count, times->run_count == 1 ? "" : "s", times->reading * runs, times->runs.host * runs);
    if (times->runs.device > 0) {
        program_printf(", device %.2f (", times->runs.device * runs);
        for (int i = 0; i < VISION_STAGE_COUNT; i++)
            program_printf("%s%s %.2f", i ? ", " : "", vision_stage_name((vision_stage)i), times->runs.stage[i] * runs);
        program_printf(")");
    }
    program_printf("\n");
}

/* Memory for what --out writes. */
static bool prepare_out(shown *s, uint32_t count)
{
    const vision_model *model = s->session->model;
    if (!s->session->options->out)
        return true;
    s->images = malloc(sizeof *s->images * 3 * model->image_size * model->image_size * count);
    s->logits = malloc(sizeof *s->logits * model->class_count * count);
    s->names = malloc(sizeof *s->names * count);
    return (s->images && s->logits && s->names) || vision_fail("out of memory");
}

/* Before anything runs. */
static bool check_files(const classify_session *session, const path_list *list)
{
    const classify_options *options = session->options;
    program_files files = {0};
    program_files_read(&files, "the model", session->model->path);
    for (uint32_t i = 0; (options->out || options->report) && i < list->count; i++)
        program_files_read(&files, "one of the pictures", list->paths[i]);
    const bool good = program_files_write(&files, "--out", options->out, PROGRAM_SAFETENSORS) &&
                      program_files_write(&files, "--report", options->report, PROGRAM_HTML);
    if (!good)
        vision_fail("%s", files.reason);
    program_files_release(&files);
    return good;
}

int classify_run_pictures(classify_session *session)
{
    const classify_options *options = session->options;
    path_list list = {0};
    bool done = true;
    for (uint32_t i = 0; done && i < options->picture_count; i++)
        done = program_is_folder(options->pictures[i]) ? path_list_add_pictures(&list, options->pictures[i], options)
                                                       : path_list_add(&list, NULL, options->pictures[i]);
    if (done && list.count == 0)
        done = vision_fail("%s has no pictures in it", options->pictures[0]);
    shown s = {.session = session, .paths = list.paths, .count = list.count};
    int opened = PROGRAM_REFUSED;
    if (done && check_files(session, &list))
        opened = classify_open_device(session);
    if (opened == PROGRAM_OK && options->report && !report_begin(session, list.count, &s.page))
        opened = PROGRAM_FAILED;
    if (done && opened != PROGRAM_OK) {
        path_list_release(&list);
        return opened;
    }
    if (done)
        classify_introduce(session);
    done = done && classify_start(session, list.count, options->report != NULL) && classify_warm_up(session) &&
           prepare_out(&s, list.count) && classify_pictures(session, list.paths, list.count, show, &s);
    program_progress_clear();
    if (done && s.unsure > 0 && list.count > 1)
        program_printf("unsure of %u of %u pictures\n", s.unsure, list.count - s.failed);
    if (done && list.count > s.failed)
        classify_print_times(session);
    done = report_end(s.page, done) && done;
    if (done && s.kept > 0)
        done = classify_write(session, s.kept, s.names, s.images, s.logits);
    free(s.images);
    free(s.logits);
    free(s.names);
    path_list_release(&list);
    return done && s.failed == 0 ? PROGRAM_OK : PROGRAM_FAILED;
}
