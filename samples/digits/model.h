/* The digits and their model, for every program that has them: files, and what is linear around the MoE layer. */
#ifndef SMOE_SAMPLES_DIGITS_MODEL_H
#define SMOE_SAMPLES_DIGITS_MODEL_H

#include "smoe/layer_file.h"

#define DIGITS_SIDE 8u
#define DIGITS_PIXELS 64u
#define DIGITS_INK 16u /* a pixel is 0 (paper) to 16 (ink) */
#define DIGITS_CLASSES 10u
#define DIGITS_NO_ANSWER DIGITS_CLASSES /* the model gave NaN */

typedef struct digits_data {
    smoe_layer_file *file;
    uint32_t count;
    const uint8_t *images;   /* [count,64] */
    const uint8_t *labels;   /* [count], 0..9 */
    const uint8_t *held_out; /* [count], 1 = not trained on */
} digits_data;

/* The model's file, and what it holds. plan and params: as the file has them, max_active resolved. */
typedef struct digits_model {
    smoe_layer_file *file;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    const float *embed_weight, *embed_bias; /* [D,64], [D] */
    const float *head_weight, *head_bias;   /* [10,D], [10] */
} digits_model;

/* Both give false after a line on stderr that begins with the program's name. path: NULL for the file that
 * comes with the program. program: argv[0]. Close either way. */
bool digits_open_data(digits_data *data, const char *name, const char *program, const char *path);
void digits_close_data(digits_data *data);
bool digits_open_model(digits_model *model, const char *name, const char *program, const char *path);
void digits_close_model(digits_model *model);

/* x [D] = embed(pixels), of 0 (paper) to 1 (ink). */
void digits_embed(const digits_model *model, const float pixels[DIGITS_PIXELS], float *x);

/* logits = head(x + y); the sum is left in y. */
void digits_head(const digits_model *model, const float *x, float *y, float logits[DIGITS_CLASSES]);

/* The softmax, and the best class; DIGITS_NO_ANSWER where the logits are no numbers. */
uint32_t digits_answer(const float logits[DIGITS_CLASSES], float probability[DIGITS_CLASSES]);

#endif
