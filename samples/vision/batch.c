/* --batch FOLDER: pictures in folders named by their class, and which classes the model takes for which. */
#include "classify.h"
#include "program/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/text.h"

#define MATRIX_CLASSES 20u /* a wider table does not fit a screen */
#define LISTED 20u         /* in its place: classes, and pairs of them */
#define NAME_COLUMNS 32u   /* at most */
#define HEAD_COLUMNS 6u

/* Pictures of a class that got one answer. */
typedef struct cell {
    uint32_t label, answer, count;
} cell;

typedef struct batch {
    const classify_session *session;
    path_list pictures;
    uint32_t *labels;   /* [pictures.count] */
    /* [pictures.count]: one for each classified picture; by merge_cells: one for each pair, sorted */
    cell *cells;
    uint32_t cell_count, seen, classified, right, unsure, unsure_right, failed;
} batch;

/* The class that a folder stands for: by the model's names, else, as torchvision's ImageFolder has it, by its place
 * among the folders. */
static bool find_label(const vision_model *model, const path_list *folders, uint32_t index, uint32_t *label)
{
    const char *name = path_name(folders->paths[index]);
    if (!model->classes) {
        *label = index;
        return folders->count == model->class_count ||
               vision_fail("the model does not name its %u classes, so the folder must have as many folders; it has %u",
                           model->class_count, folders->count);
    }
    uint32_t found = 0;
    for (uint32_t c = 0; c < model->class_count; c++)
        if (strcmp(model->classes[c], name) == 0 && found++ == 0)
            *label = c;
    if (found > 1)
        return vision_fail("%s: the model has %u classes of that name, and which is meant cannot be told",
                           folders->paths[index], found);
    return found == 1 || vision_fail("%s: %s is no class of the model; its first is %s", folders->paths[index], name,
                                     model->classes[0]);
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
        done = find_label(model, &folders, i, &label) &&
               path_list_add_pictures(&b->pictures, folders.paths[i], b->session->options);
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

static bool count_answer(void *user, const classify_result *result)
{
    batch *b = user;
    uint32_t answer;
    double probability;
    b->seen++;
    program_progress(b->seen, b->pictures.count, "pictures");
    if (!result->logits) {
        b->failed++;
        return true;
    }
    classify_rank(b->session->model, result->logits, 1, &answer, &probability);
    if (!(probability > 0)) {
        vision_fail("%s: the model gave no finite answer", b->pictures.paths[result->index]);
        b->failed++;
        return true;
    }
    b->cells[b->cell_count++] = (cell){b->labels[result->index], answer, 1};
    const bool right = answer == b->labels[result->index], unsure = classify_is_unsure(b->session->model, probability);
    b->classified++;
    b->right += right;
    b->unsure += unsure;
    b->unsure_right += unsure && right;
    return true;
}

static int compare_cells(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    return x->label != y->label ? (x->label < y->label ? -1 : 1) : x->answer < y->answer ? -1 : x->answer > y->answer;
}

/* The most frequent first. */
static int compare_counts(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    return x->count != y->count ? (x->count > y->count ? -1 : 1) : compare_cells(a, b);
}

static void merge_cells(batch *b)
{
    uint32_t kept = 0;
    qsort(b->cells, b->cell_count, sizeof *b->cells, compare_cells);
    for (uint32_t i = 0; i < b->cell_count; i++)
        if (kept > 0 && compare_cells(&b->cells[kept - 1], &b->cells[i]) == 0)
            b->cells[kept - 1].count++;
        else
            b->cells[kept++] = b->cells[i];
    b->cell_count = kept;
}

static uint32_t count_of(const batch *b, uint32_t label, uint32_t answer)
{
    for (uint32_t i = 0; i < b->cell_count; i++)
        if (b->cells[i].label == label && b->cells[i].answer == answer)
            return b->cells[i].count;
    return 0;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static void print_name(const char *name, uint32_t columns, bool head)
{
    program_print_name(stdout, name, columns, columns, head);
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
            if (strncmp(vision_class_name(model, c, number[0]), vision_class_name(model, d, number[1]), HEAD_COLUMNS) ==
                0)
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
            const uint32_t count = count_of(b, r, c);
            sum += count;
            printf(count ? " %6u" : "      .", count);
        }
        printf(sum ? " %5.1f %%\n" : "       -\n", sum ? 100.0 * count_of(b, r, r) / sum : 0);
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
    for (uint32_t i = 0; outcomes && i < b->cell_count; i++) {
        const cell *one = &b->cells[i];
        if (present == 0 || outcomes[present - 1].label != one->label)
            outcomes[present++] = (outcome){.label = one->label};
        outcomes[present - 1].count += one->count;
        outcomes[present - 1].right += one->label == one->answer ? one->count : 0;
    }
    if (!outcomes)
        return vision_fail("out of memory");
    qsort(outcomes, present, sizeof *outcomes, compare_outcomes);
    printf("the classes least often right, of %u with pictures\n", present);
    for (uint32_t i = 0; i < present && i < LISTED; i++) {
        printf("%5.1f %%  %u of %u  ", 100.0 * outcomes[i].right / outcomes[i].count, outcomes[i].right,
               outcomes[i].count);
        program_print(stdout, vision_class_name(model, outcomes[i].label, number));
        printf("\n");
    }
    free(outcomes);
    return true;
}

/* Leaves the cells sorted by their counts. */
static void print_confusions(batch *b)
{
    const vision_model *model = b->session->model;
    printf("what was most often taken for something else\n");
    qsort(b->cells, b->cell_count, sizeof *b->cells, compare_counts);
    for (uint32_t i = 0, printed = 0; i < b->cell_count && printed < LISTED; i++) {
        const cell *one = &b->cells[i];
        char row[16], column[16];
        if (one->label == one->answer)
            continue;
        printf("%6u  ", one->count);
        program_print(stdout, vision_class_name(model, one->label, row));
        printf(" for ");
        program_print(stdout, vision_class_name(model, one->answer, column));
        printf("\n");
        printed++;
    }
}

static void print_unsure(const batch *b)
{
    const vision_model *model = b->session->model;
    const uint32_t sure = b->classified - b->unsure, right = b->right - b->unsure_right;
    if (!(model->unsure_below > 0))
        return;
    printf("unsure of %u of %u pictures, %u of them right", b->unsure, b->classified, b->unsure_right);
    if (sure > 0)
        printf("; accuracy of the others %.4f (%u of %u)", (double)right / sure, right, sure);
    printf("\n");
}

int classify_run_batch(classify_session *session)
{
    const uint32_t classes = session->model->class_count;
    batch b = {.session = session};
    const bool listed = list_pictures(&b, session->options->batch);
    const int opened = listed ? classify_open_device(session) : PROGRAM_REFUSED;
    bool done = opened == PROGRAM_OK;
    if (done)
        classify_introduce(session);
    b.cells = done ? malloc(b.pictures.count * sizeof *b.cells) : NULL;
    if (done && !b.cells)
        done = vision_fail("out of memory");
    done = done && classify_start(session, b.pictures.count, false) && classify_warm_up(session) &&
           classify_pictures(session, b.pictures.paths, b.pictures.count, count_answer, &b);
    program_progress_clear();
    if (done && b.classified == 0)
        done =
            vision_fail("%s: none of its %u pictures could be classified", session->options->batch, b.pictures.count);
    if (done) {
        merge_cells(&b);
        if (classes <= MATRIX_CLASSES)
            print_matrix(&b);
        else if ((done = print_worst(&b)) == true)
            print_confusions(&b);
        printf("\n");
        classify_print_times(session);
        if (b.failed > 0)
            printf("%u picture%s could not be classified\n", b.failed, b.failed == 1 ? "" : "s");
        print_unsure(&b);
        printf("accuracy %.4f (%u of %u)\n", (double)b.right / b.classified, b.right, b.classified);
    }
    path_list_release(&b.pictures);
    free(b.labels);
    free(b.cells);
    return opened != PROGRAM_OK ? opened : done && b.failed == 0 ? PROGRAM_OK : PROGRAM_FAILED;
}
