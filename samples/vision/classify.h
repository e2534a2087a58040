/* smoe-classify: classifies pictures with a vision transformer. What its files share. */
#ifndef VISION_CLASSIFY_H
#define VISION_CLASSIFY_H

#include "engine.h"
#include "fail.h"
#include "image.h"
#include "program/options.h"

#define CLASSIFY_BEST 5u         /* classes shown of each picture */
#define CLASSIFY_LISTED 20u      /* of those that the model knows */
#define CLASSIFY_SHOWN_SIDE 320u /* pixels of the longer side of a picture in the report, at most */

typedef struct classify_options {
    const char *model, *batch, *device, *out, *report;
    char **pictures; /* paths, in the arguments: pictures, or the files of --check */
    uint32_t picture_count, check_count;
    uint32_t batch_size, repeat;
    float eps; /* NaN: the model's own */
    int weights; /* smoe_type; -1: as the file has them */
    int fit;     /* vision_fit; -1: the model's own */
    bool validate, no_subgroups;
} classify_options;

/* False where the program is to exit with *status: help is printed, or why the command line cannot be obeyed. Moves the
 * pictures' paths to the front, after the program's. */
bool classify_parse_options(int count, char **arguments, classify_options *options, int *status);

/* Paths that belong together. */
typedef struct path_list {
    char **paths;
    uint32_t count, capacity;
} path_list;

/* All print why where they return false. */
bool path_list_add(path_list *list, const char *folder, const char *name); /* folder NULL: only the name */
/* The visible entries of a folder, sorted: its folders, or its files. */
bool path_list_add_folder(path_list *list, const char *folder, bool folders);
/* A folder's files that are pictures by their name or their first bytes, but for --out's and --report's. A line for
 * each of the others. */
bool path_list_add_pictures(path_list *list, const char *folder, const classify_options *options);
void path_list_release(path_list *list);
const char *path_name(const char *path); /* after the last slash */

/* The times of many runs. */
typedef struct classify_times {
    double preparing, first_run; /* of classify_start and classify_warm_up; nanoseconds on the host */
    double reading; /* of pictures: decoding, resizing, normalising; nanoseconds on the host */
    vision_times runs;
    uint32_t pictures, run_count;
} classify_times;

typedef struct classify_session {
    const classify_options *options;
    vision_model *model;
    const smoe_log *log;
    const char *out; /* where --out writes now */
    uint32_t heading_count;
    bool lost; /* there is no such device, and nothing can run */
    smoe_device *device;
    gpu *gpu;
    vision_engine *engine;
    classify_times times;
} classify_session;

/* Opens the device that the options ask for, where it is not open yet; once nothing else can be refused. An exit
 * status. */
int classify_open_device(classify_session *session);

/* What the matrices are on the device: --weights, or the model's own. The engine has no bfloat16. */
smoe_type classify_weight_type(const classify_session *session);

/* Makes the session's engine for batches of at most `count` images. False after printing why not. */
bool classify_start(classify_session *session, uint32_t count, bool report);

/* After it, a run of a blank image, in which drivers compile what they have put off, and which counts to no picture's
 * time. */
bool classify_warm_up(classify_session *session);

/* What became of one picture. */
typedef struct classify_result {
    uint32_t index;                    /* among the paths */
    /* why it could not be read, as what follows its path in a sentence; else empty */
    char reason[IMAGE_REASON_SIZE];
    uint32_t width, height;            /* as it lies in its file; 0 if it could not be read */
    image original;                    /* what lies in its file, shrunk; for --report, else without pixels */
    const float *input, *logits;       /* the model's; NULL if it could not be read */
    /* in the engine's last run: its records in vision_engine_report begin at place * tokens */
    uint32_t place;
} classify_result;

/* Classifies pictures in batches, after classify_start. `seen` is called once for each path, in order; that a picture
 * could not be read has been printed then. False if the device failed, or `seen` gave false. */
typedef bool classify_seen(void *user, const classify_result *result);
bool classify_pictures(classify_session *session, char *const *paths, uint32_t count, classify_seen *seen, void *user);

/* The modes; each gives the exit status. */
int classify_run_check(classify_session *session);
int classify_run_pictures(classify_session *session);
int classify_run_batch(classify_session *session);

/* probability: softmax of logits / the model's temperature. best: the `count` most probable classes, most probable
 * first, the lower class first where equal. */
void classify_rank(const vision_model *model, const float *logits, uint32_t count, uint32_t *best, double *probability);

/* Whether the largest probability is too small to be an answer; and that it is, in words. */
#define CLASSIFY_UNSURE_SIZE 80
bool classify_is_unsure(const vision_model *model, double probability);
void classify_say_unsure(const vision_model *model, char text[CLASSIFY_UNSURE_SIZE]);

/* Two lines that say which model runs on which device, and what it knows. */
void classify_introduce(const classify_session *session);
void classify_print_times(const classify_session *session);

/* --out: logits [count, classes] and, if not NULL, images [count, 3, image_size, image_size] and the rows' paths, as
 * safetensors. */
bool classify_write(const classify_session *session, uint32_t count, const char *const *paths, const float *images,
                    const float *logits);

#endif
