/* --batch FOLDER: pictures in folders named by their class, and which classes the model takes for which. */
#define _POSIX_C_SOURCE 200809L /* isatty, fileno */
#include "classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MATRIX_CLASSES 20u /* a wider table does not fit a screen */
#define LISTED 20u         /* in its place: classes, and pairs of them */
#define NAME_COLUMNS 32u   /* at most */
#define HEAD_COLUMNS 6u
#define BAR_WIDTH 40u

typedef struct batch {
    const classify_session *session;
    path_list pictures;
    uint32_t *labels;   /* [pictures.count] */
    uint32_t *counts;   /* [class_count, class_count]: label, answer */
    uint32_t seen, classified, right, failed;
    bool progress;
} batch;

/* The class that a folder stands for: by the model's names, else, as torchvision's ImageFolder has it, by its place among the folders. */
static bool find_label(const vision_model *model, const path_list *folders, uint32_t index, uint32_t *label)
{
    const char *name = path_name(folders->paths[index]);
    if (!model->classes) {
        *label = index;
        return folders->count == model->class_count ||
               vision_fail("the model does not name its %u classes, so the folder must have as many folders; it has %u", model->class_count,
                           folders->count);
    }
    for (*label = 0; *label < model->class_count; ++*label)
        if (strcmp(model->classes[*label], name) == 0)
            return true;
    return vision_fail("%s: %s is no class of the model; its first is %s", folders->paths[index], name, model->classes[0]);
}

static bool list_pictures(batch *b, const char *folder)
{
    const vision_model *model = b->session->model;
    path_list folders = {0};
    bool done = path_list_add_folder(&folders, folder, true);
    if (done && folders.count == 0)
        done = vision_fail("%s has no folders in it: one for each class is expected", folder);
    for (uint32_t i = 0; done && i < folders.count; i++) {
        const uint32_t before = b->pictures.count;
        uint32_t label = 0;
        done = find_label(model, &folders, i, &label) && path_list_add_pictures(&b->pictures, folders.paths[i], b->session->options);
        uint32_t *labels = done ? realloc(b->labels, (b->pictures.count + 1) * sizeof *labels) : NULL;
        if (done && !labels)
            done = vision_fail("out of memory");
        b->labels = labels ? labels : b->labels;
        for (uint32_t j = before; done && j < b->pictures.count; j++)
            b->labels[j] = label;
    }
    path_list_release(&folders);
    return done && (b->pictures.count > 0 || vision_fail("%s has no pictures in its folders", folder));
}

static void show_progress(const batch *b)
{
    const uint32_t full = (uint32_t)((uint64_t)BAR_WIDTH * b->seen / b->pictures.count);
    char line[BAR_WIDTH + 64] = "[";
    if (!b->progress)
        return;
    for (uint32_t i = 0; i < BAR_WIDTH; i++)
        line[1 + i] = i < full ? '#' : '.';
    snprintf(line + 1 + BAR_WIDTH, sizeof line - 1 - BAR_WIDTH, "] %u of %u", b->seen, b->pictures.count);
    vision_show_progress(line);
}

static bool count_answer(void *user, const classify_result *result)
{
    batch *b = user;
    const uint32_t classes = b->session->model->class_count;
    uint32_t answer;
    double probability;
    b->seen++;
    show_progress(b);
    if (!result->logits) {
        b->failed++;
        return true;
    }
    classify_rank(result->logits, classes, 1, &answer, &probability);
    if (!(probability > 0)) {
        vision_fail("%s: the model gave no finite answer", b->pictures.paths[result->index]);
        b->failed++;
        return true;
    }
    b->counts[(size_t)b->labels[result->index] * classes + answer]++;
    b->classified++;
    b->right += answer == b->labels[result->index];
    return true;
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

static void print_name(const char *name, uint32_t columns, bool head)
{
    vision_print_name(stdout, name, columns, columns, head);
}

static uint32_t widest_name(const vision_model *model)
{
    uint32_t widest = 4;
    char number[16];
    for (uint32_t c = 0; c < model->class_count; c++) {
        uint32_t count = 0;
        for (const char *at = vision_class_name(model, c, number); *at; at++)
            count += (*at & 0xc0) != 0x80;
        widest = count > widest ? count : widest;
    }
    return widest < NAME_COLUMNS ? widest : NAME_COLUMNS;
}

/* Whether cut names still tell the classes apart; where they do not, numbers must. */
static bool heads_differ(const vision_model *model)
{
    char number[2][16];
    for (uint32_t c = 0; c < model->class_count; c++)
        for (uint32_t d = 0; d < c; d++)
            if (strncmp(vision_class_name(model, c, number[0]), vision_class_name(model, d, number[1]), HEAD_COLUMNS) == 0)
                return false;
    return true;
}

static void print_matrix(const batch *b)
{
    const vision_model *model = b->session->model;
    const uint32_t classes = model->class_count, columns = widest_name(model);
    const bool named = heads_differ(model);
    char number[16];
    printf("pictures by class (rows) and answer (columns)\n%*s", (int)columns + (named ? 0 : 4), "");
    for (uint32_t c = 0; c < classes; c++) {
        putchar(' ');
        snprintf(number, sizeof number, "%u", c);
        print_name(named ? vision_class_name(model, c, number) : number, HEAD_COLUMNS, true);
    }
    printf("   right\n");
    for (uint32_t r = 0; r < classes; r++) {
        uint32_t sum = 0;
        if (!named)
            printf("%3u ", r);
        print_name(vision_class_name(model, r, number), columns, false);
        for (uint32_t c = 0; c < classes; c++) {
            const uint32_t count = b->counts[(size_t)r * classes + c];
            sum += count;
            if (count)
                printf(" %6u", count);
            else
                printf("      .");
        }
        if (sum)
            printf(" %5.1f %%\n", 100.0 * b->counts[(size_t)r * classes + r] / sum);
        else
            printf("       -\n");
    }
}

typedef struct outcome {
    uint32_t label, right, count;
} outcome;

/* The classes of which the smallest share was right first. */
static int compare_outcomes(const void *a, const void *b)
{
    const outcome *x = a, *y = b;
    const uint64_t left = (uint64_t)x->right * y->count, right = (uint64_t)y->right * x->count;
    return left != right ? (left < right ? -1 : 1) : x->label < y->label ? -1 : 1;
}

static bool print_worst(const batch *b)
{
    const vision_model *model = b->session->model;
    const size_t classes = model->class_count;
    outcome *outcomes = calloc(classes, sizeof *outcomes);
    uint32_t present = 0;
    char number[16];
    if (!outcomes)
        return vision_fail("out of memory");
    for (uint32_t r = 0; r < classes; r++) {
        outcome *o = &outcomes[present];
        *o = (outcome){.label = r, .right = b->counts[r * classes + r]};
        for (size_t c = 0; c < classes; c++)
            o->count += b->counts[r * classes + c];
        present += o->count > 0;
    }
    qsort(outcomes, present, sizeof *outcomes, compare_outcomes);
    printf("the classes least often right, of %u with pictures\n", present);
    for (uint32_t i = 0; i < present && i < LISTED; i++) {
        printf("%5.1f %%  %u of %u  ", 100.0 * outcomes[i].right / outcomes[i].count, outcomes[i].right, outcomes[i].count);
        vision_print(stdout, vision_class_name(model, outcomes[i].label, number));
        printf("\n");
    }
    free(outcomes);
    return true;
}

static void print_confusions(const batch *b)
{
    const vision_model *model = b->session->model;
    const size_t classes = model->class_count;
    uint32_t most = UINT32_MAX;
    size_t after = 0; /* the place from which on pairs with `most` pictures have not been printed */
    printf("what was most often taken for something else\n");
    for (uint32_t printed = 0; printed < LISTED; printed++) {
        size_t best = 0;
        uint32_t largest = 0;
        for (size_t i = 0; i < classes * classes; i++)
            if (i / classes != i % classes && b->counts[i] > largest && (b->counts[i] < most || (b->counts[i] == most && i >= after))) {
                largest = b->counts[i];
                best = i;
            }
        char row[16], column[16];
        if (largest == 0)
            break;
        printf("%6u  ", largest);
        vision_print(stdout, vision_class_name(model, (uint32_t)(best / classes), row));
        printf(" for ");
        vision_print(stdout, vision_class_name(model, (uint32_t)(best % classes), column));
        printf("\n");
        most = largest;
        after = best + 1;
    }
}

int classify_run_batch(classify_session *session)
{
    const uint32_t classes = session->model->class_count;
    batch b = {.session = session, .progress = isatty(fileno(stderr))};
    const bool listed = list_pictures(&b, session->options->batch);
    bool done = listed;
    b.counts = done ? calloc((size_t)classes * classes, sizeof *b.counts) : NULL;
    if (done && !b.counts)
        done = vision_fail("out of memory");
    done = done && classify_start(session, b.pictures.count, false) &&
           classify_pictures(session, b.pictures.paths, b.pictures.count, count_answer, &b);
    vision_show_progress(NULL);
    if (done && b.classified == 0)
        done = vision_fail("%s: none of its %u pictures could be classified", session->options->batch, b.pictures.count);
    if (done) {
        if (classes <= MATRIX_CLASSES)
            print_matrix(&b);
        else if ((done = print_worst(&b)) == true)
            print_confusions(&b);
        printf("\n");
        classify_print_times(session);
        if (b.failed > 0)
            printf("%u picture%s could not be classified\n", b.failed, b.failed == 1 ? "" : "s");
        printf("accuracy %.4f (%u of %u)\n", (double)b.right / b.classified, b.right, b.classified);
    }
    path_list_release(&b.pictures);
    free(b.labels);
    free(b.counts);
    return !listed ? CLASSIFY_REFUSED : done && b.failed == 0 ? CLASSIFY_OK : CLASSIFY_FAILED;
}
