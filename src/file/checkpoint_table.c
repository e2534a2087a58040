/* The formats that smoe_checkpoint reads, and what it refuses. Names and settings are those of transformers' modelling
 * code and of files on the Hub; Tutel's are those of its gates and experts, and smooth_top's of the released code of
 * arXiv 2606.19036. */
#include "checkpoint_format.h"

#include <stddef.h>

const smoe_checkpoint_table *const smoe_checkpoint_tables[] = {
    smoe_checkpoint_softmax_tables,
    smoe_checkpoint_sigmoid_tables,
    NULL,
};

/* ---- what is refused --------------------------------------------------------------------------------------------- */

const smoe_checkpoint_refusal smoe_checkpoint_refusals[] = {
    {"axk1", "a norm follows the sum of the experts"},
    {"doge", "experts are chosen by the sums of two scores"},
    {"ernie4_5_vl_moe", "tokens of text and of pictures have experts of their own"},
    {"inkling", "shared experts are weighed by the router"},
    {"inkling_mm_model", "shared experts are weighed by the router"},
    {"inkling2", "its activation caps softly"},
    {"inkling2_loop", "its activation caps softly"},
    {"kolibri1", "experts are chosen by logit plus bias and weighed by sigmoid"},
    {"muse_spark", "a norm follows each expert"},
    {"nllb-moe", "the second expert's weight depends on the batch"},
    {"phimoe", "the second expert's softmax leaves out the first and what is far below it"},
    {"zaya", "its router is a network of several layers, with a state from the layer before"},
    {NULL, NULL},
};
