/* The formats of checkpoints as data: which tensors a layer has, and what config.json or GGUF's metadata says about it.
 * The tables are checkpoint_table*.c and gguf_table.c. */
#ifndef SMOE_CHECKPOINT_FORMAT_H
#define SMOE_CHECKPOINT_FORMAT_H

#include <stdint.h>

/* What a tensor becomes: members of smoe_host_weights, and one number. */
typedef enum smoe_slot {
    SMOE_SLOT_ROUTER_WEIGHT, /* [E,D] */
    SMOE_SLOT_ROUTER_BIAS,   /* [E] */
    SMOE_SLOT_PROJECTION,    /* [P,D] */
    SMOE_SLOT_PROJECTION_BIAS,
    SMOE_SLOT_SIMILARITY, /* [P,E] */
    SMOE_SLOT_LOG_SCALE,
    SMOE_SLOT_BAND, /* eps = log(1 + exp(value)) */
    SMOE_SLOT_SELECTION_BIAS,
    SMOE_SLOT_W1, /* [E,H,D]; a tensor of w1 and w3 together is w1's, with an axis 2 */
    SMOE_SLOT_W3,
    SMOE_SLOT_B1,
    SMOE_SLOT_B3,
    SMOE_SLOT_W2, /* [E,D,H] */
    SMOE_SLOT_B2,
    SMOE_SLOT_SHARED_W1, /* [S,D] */
    SMOE_SLOT_SHARED_W3,
    SMOE_SLOT_SHARED_W2, /* [D,S] */
    SMOE_SLOT_SHARED_GATE,
    /* GGUF: what multiplies a matrix in blocks, one number for each expert's */
    SMOE_SLOT_FACTOR_W1,
    SMOE_SLOT_FACTOR_W3,
    SMOE_SLOT_FACTOR_W2,
    SMOE_SLOT_FACTOR_SHARED_W1,
    SMOE_SLOT_FACTOR_SHARED_W3,
    SMOE_SLOT_FACTOR_SHARED_W2,
    SMOE_SLOT_COUNT
} smoe_slot;

typedef struct smoe_tensor_row {
    smoe_slot slot;
    /* after the layer's prefix; # is the expert's number: one tensor for each expert, which has no axis E */
    const char *name;
    /* The tensor's axes in the order of the file, each a letter: E experts, D d_model, H d_hidden, P projection_width,
     * S shared_hidden, 1 a length of one. An order that is not the slot's is transposed. A 2 beside H or S makes one
     * axis of the two in the file: 2H is w1's H rows and then w3's, H2 has them in turns. E*H makes one axis of the
     * two, as DBRX's files have it. A slot with an E and a row without one, nor a # in its name: all experts get the
     * same. With a | two orders: the one that the tensor's shape has, which is refused where both are. */
    const char *axes;
    /* the row is read exactly where this tensor is, or after SMOE_WITHOUT where it is not; NULL: always */
    const char *with;
} smoe_tensor_row;

#define SMOE_WITHOUT "!"

/* What a value of config.json, or of GGUF's metadata, sets or must agree with. */
typedef enum smoe_config_field {
    SMOE_CONFIG_END,
    SMOE_CONFIG_TOP_K,
    SMOE_CONFIG_RENORMALIZE, /* true, false, or SMOE_CONFIG_TUTEL_RULE */
    SMOE_CONFIG_SCALE,
    SMOE_CONFIG_ACTIVATION,
    SMOE_CONFIG_SCORE,        /* a smoe_gate's name */
    SMOE_CONFIG_SCORE_NUMBER, /* the same by GGUF's numbers */
    SMOE_CONFIG_GROUPS,
    SMOE_CONFIG_TOP_GROUPS,
    SMOE_CONFIG_GROUP_METHOD,   /* DeepSeek's topk_method: none, or how groups are ranked */
    SMOE_CONFIG_NUMBER,         /* the smoe_plan_number of `number`; null is 0 */
    SMOE_CONFIG_EXPERTS,        /* E of the tensors */
    SMOE_CONFIG_MODEL,          /* D */
    SMOE_CONFIG_HIDDEN,         /* H */
    SMOE_CONFIG_SHARED_WIDTH,   /* S, 0 for no shared expert */
    SMOE_CONFIG_SHARED_COUNT,   /* so many shared experts, in one; 0: none */
    SMOE_CONFIG_SHARED_SUM,     /* how a shared expert's part joins the rest: must be sum */
    SMOE_CONFIG_SELECTION_BIAS, /* true or false: whether there is one */
    SMOE_CONFIG_EXACTLY,        /* anything but the row's value is another function */
    SMOE_CONFIG_NONE,           /* anything but null is another function */
} smoe_config_field;

#define SMOE_CONFIG_TUTEL_RULE "k > 1 or eps > 0" /* Tutel renormalises the weights of several experts, not of one */

typedef struct smoe_config_row {
    smoe_config_field field;
    /* "a|b": the first of these that is there. "a.b": member b of object a. A list has one value for each layer. NULL:
     * not in config.json, `absent` holds. GGUF: one name, behind the architecture and a point */
    const char *key;
    /* where the key is absent (null is refused); NULL: it must be there, unless it only repeats what the tensors say */
    const char *absent;
    const char *number; /* of SMOE_CONFIG_NUMBER: the plan's; of others NULL */
} smoe_config_row;

typedef struct smoe_checkpoint_table {
    /* of config.json, without "_text" at its end; "tutel": no configuration, known by its tensors' names; GGUF:
     * general.architecture */
    const char *model_type;
    /* how the prefix of a layer ends, before its number; NULL: anything with a number in it */
    const char *block;
    const smoe_tensor_row *tensors; /* until a name of NULL; the first ones give E and D */
    const smoe_config_row *config;  /* until SMOE_CONFIG_END */
} smoe_checkpoint_table;

/* Each until a model_type of NULL. */
extern const smoe_checkpoint_table smoe_gguf_tables[];
extern const smoe_checkpoint_table smoe_checkpoint_softmax_tables[], smoe_checkpoint_sigmoid_tables[];
extern const smoe_checkpoint_table *const smoe_checkpoint_tables[]; /* all of them, until NULL */

/* A model with experts that smoe cannot compute exactly, and why. */
typedef struct smoe_checkpoint_refusal {
    const char *model_type, *reason;
} smoe_checkpoint_refusal;

extern const smoe_checkpoint_refusal smoe_checkpoint_refusals[]; /* until a model_type of NULL */

#endif
