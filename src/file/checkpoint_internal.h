/* What the files of a checkpoint's reading share. */
#ifndef SMOE_CHECKPOINT_INTERNAL_H
#define SMOE_CHECKPOINT_INTERNAL_H

#include <smoe/checkpoint.h>

#include "checkpoint_format.h"
#include "file_internal.h"

/* Larger numbers in a tensor's name are no layer's. A multiple of 8. */
#define SMOE_CHECKPOINT_MAX_LAYERS 65536u

/* One tensor of the checkpoint: its name, and the file it is in, without the folder. */
typedef struct smoe_checkpoint_name {
    const char *name, *file;
} smoe_checkpoint_name;

/* A JSON text and what was taken out of it: pairs point into the text. */
typedef struct smoe_json_pairs {
    char *text;
    smoe_file_pair *pairs;
    uint32_t count;
} smoe_json_pairs;

#define SMOE_CHECKPOINT_CONFIG "config.json"
#define SMOE_CHECKPOINT_INDEX "model.safetensors.index.json"

struct smoe_checkpoint {
    smoe_file_host host; /* its path: as it was given */
    char *path;
    char *folder; /* with its separator at the end, or empty */
    const smoe_checkpoint_table *table;
    smoe_json_pairs config, index;
    smoe_layer_file *single; /* the headers of a checkpoint that is one file; NULL where there is an index */
    smoe_checkpoint_name *names; /* sorted */
    uint32_t name_count;
};

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* Memory for folder and name after one another; NULL without memory. */
char *smoe_checkpoint_join(const smoe_file_host *host, const char *folder, const char *name);

/* The members of a JSON object in a file, values that are no scalars as NULL; or of the object that is its member `of`,
 * which must all be strings. Absent (out is left empty) is no error where `may_be_absent`. */
smoe_result smoe_checkpoint_pairs(const smoe_checkpoint *checkpoint, const char *name, const char *of,
                                  bool may_be_absent, smoe_json_pairs *out);

/* Fills single or index, and names. */
smoe_result smoe_checkpoint_read_names(smoe_checkpoint *checkpoint, const char *file);
const smoe_checkpoint_name *smoe_checkpoint_find(const smoe_checkpoint *checkpoint, const char *name);

/* Where the layer begins in the names of its tensors: the first prefix_size characters of *of. FILE and
 * INVALID_ARGUMENT with a line that says which layers there are. */
smoe_result smoe_checkpoint_prefix(const smoe_checkpoint *checkpoint, uint32_t layer, const char **of,
                                   size_t *prefix_size);
/* The layer that a tensor is the router of; false for any other tensor. */
bool smoe_checkpoint_router_of(const smoe_checkpoint_table *table, const char *name, uint32_t *layer,
                               size_t *prefix_size);

/* ---- one layer --------------------------------------------------------------------------------------------------- */

enum { SMOE_AXIS_E, SMOE_AXIS_D, SMOE_AXIS_H, SMOE_AXIS_P, SMOE_AXIS_S, SMOE_AXIS_COUNT };

/* An array of the layer: smoe_slot's, where a tensor filled it. */
typedef struct smoe_slot_memory {
    bool there;
    uint64_t offset; /* in the layer's memory */
    uint32_t element_size;
} smoe_slot_memory;

struct smoe_checkpoint_layer {
    smoe_file_host host;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    char *memory;
};

/* A file of the checkpoint while a layer is read: its header, and the stream. */
typedef struct smoe_shard {
    const char *file;
    char *path;
    smoe_layer_file *headers; /* entries sorted by name */
    smoe_file_stream stream;
} smoe_shard;

/* A tensor that the layer needs. */
typedef struct smoe_piece {
    const smoe_tensor_row *row;
    uint32_t expert; /* for rows of one expert each */
    uint32_t shard;
    const smoe_file_entry *entry;
} smoe_piece;

#define SMOE_TYPE_FIELDS (sizeof(smoe_matrix_types) / sizeof(smoe_type))

typedef struct smoe_checkpoint_reading {
    const smoe_checkpoint *checkpoint;
    uint32_t layer;
    const smoe_checkpoint_options *options;
    const char *prefix;
    size_t prefix_size;
    char *name; /* room for the longest tensor name */
    size_t name_size;
    uint64_t axes[SMOE_AXIS_COUNT]; /* 0: not known yet */
    smoe_shard *shards;
    uint32_t shard_count;
    smoe_piece *pieces;
    uint32_t piece_count, piece_capacity;
    smoe_slot_memory slots[SMOE_SLOT_COUNT];
    /* of the plan's types: a matrix was seen; they are of several types */
    bool typed[SMOE_TYPE_FIELDS], mixed[SMOE_TYPE_FIELDS];
    smoe_checkpoint_layer *out;
} smoe_checkpoint_reading;

/* Finds every tensor, checks types and shapes, and so determines the axes. */
smoe_result smoe_layer_resolve(smoe_checkpoint_reading *r);
/* A warning for each tensor of the layer's block that no row reads. */
void smoe_layer_tell_unread(const smoe_checkpoint_reading *r);
/* The plan and the parameters, except for what only tensors' values tell, from config.json and the axes. */
smoe_result smoe_layer_configure(smoe_checkpoint_reading *r);
/* Allocates out->memory and reads every piece into it. */
smoe_result smoe_layer_copy(smoe_checkpoint_reading *r);

/* The axis of a letter of smoe_tensor_row.axes; -1 for 1 and 2. */
int smoe_layer_axis(char letter);
/* prefix + name, with the expert's number in place of #; in r->name, valid until the next call. */
const char *smoe_layer_name(smoe_checkpoint_reading *r, const char *name, uint32_t expert);
/* The layer's tensor that a slot is, with the widths and types that are known by now. False for a slot that is none:
 * one number. */
bool smoe_slot_tensor(const smoe_checkpoint_reading *r, smoe_slot slot, smoe_layer_tensor *out);
/* The slot that a fused tensor fills too; SMOE_SLOT_COUNT: none. */
smoe_slot smoe_slot_partner(smoe_slot slot);

/* Reads a tensor's elements and puts them where their axes ask for: element (i, j, ...) at first + i strides[0] + j
 * strides[1] + ... elements of `out`, as type `to`. */
typedef struct smoe_scatter {
    uint32_t rank;
    uint64_t lengths[SMOE_TENSOR_MAX_RANK + 1], strides[SMOE_TENSOR_MAX_RANK + 1];
    smoe_type from, to;
    void *out;
} smoe_scatter;
smoe_result smoe_file_scatter(const smoe_file_host *host, const smoe_file_stream *in, const smoe_scatter *scatter,
                              const char *name);

#endif
