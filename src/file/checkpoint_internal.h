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

/* A JSON text and what was taken out of it: pairs point into the text and into `keys`. */
typedef struct smoe_json_pairs {
    char *text;
    char *keys;
    smoe_file_pair *pairs;
    uint32_t count;
} smoe_json_pairs;

/* Several files that are read as one, whose own headers say what is in them: shards without an index, or GGUF. */
typedef struct smoe_parts {
    uint32_t count, opened; /* 0: the checkpoint is no such files */
    char *names;            /* [count] of name_size bytes, without the folder */
    size_t name_size;
    smoe_layer_file **files; /* the headers of the first `opened` ones, entries sorted by name */
} smoe_parts;

#define SMOE_GGUF_ENDING ".gguf"
#define SMOE_CHECKPOINT_CONFIG "config.json"
#define SMOE_CHECKPOINT_INDEX "model.safetensors.index.json"

struct smoe_checkpoint {
    smoe_file_host host; /* its path: as it was given */
    char *path;
    char *folder; /* with its separator at the end, or empty */
    const smoe_checkpoint_table *table;
    smoe_json_pairs config, index;
    const char *config_part; /* of config.json, that the language model's settings are in: "text_config.", or empty */
    bool gguf;               /* its parts are GGUF files, one or several */
    smoe_layer_file *single; /* the headers of the only file, or of GGUF's first; NULL where there are several */
    smoe_parts parts;
    smoe_checkpoint_name *names; /* sorted */
    uint32_t name_count;
};

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* The members of a JSON object in a file, or of the object that is its member `of`, which must all be strings. Without
 * `of`, the members of a part (smoe_config_part) are there too, behind its name: "text_config.hidden_size". A list is
 * its own text; other values that are no scalars are NULL. Absent (out is left empty) is no error where
 * `may_be_absent`. */
smoe_result smoe_checkpoint_pairs(const smoe_checkpoint *checkpoint, const char *name, const char *of,
                                  bool may_be_absent, smoe_json_pairs *out);

/* The index-th name of an object in config.json that has settings of its own, with a point at its end; NULL past the
 * last one. */
const char *smoe_config_part(uint32_t index);

/* Whether a file or anything else has that name in the folder. */
smoe_result smoe_checkpoint_look_for(const smoe_checkpoint *checkpoint, const char *name, bool *there);
/* Opens a file of the folder: its headers. */
smoe_result smoe_checkpoint_open_file(const smoe_checkpoint *checkpoint, const char *file, smoe_layer_file **out);

/* Fills names, sorted, of which none may come twice: from the parts, else from the headers of one file, if `single` is
 * its name, or from the index. */
smoe_result smoe_checkpoint_take_names(smoe_checkpoint *checkpoint, const char *single);

/* Fills single, parts or index, and names. */
smoe_result smoe_checkpoint_read_names(smoe_checkpoint *checkpoint, const char *file);
const smoe_checkpoint_name *smoe_checkpoint_find(const smoe_checkpoint *checkpoint, const char *name);

/* Where the layer begins in the names of its tensors: the first prefix_size characters of *of. FILE and
 * INVALID_ARGUMENT with a line that says which layers there are. */
smoe_result smoe_checkpoint_prefix(const smoe_checkpoint *checkpoint, uint32_t layer, const char **of,
                                   size_t *prefix_size);
/* The layer that a tensor is the router of; false for any other tensor. */
bool smoe_checkpoint_router_of(const smoe_checkpoint_table *table, const char *name, uint32_t *layer,
                               size_t *prefix_size);

/* ---- parts ------------------------------------------------------------------------------------------------------- */

/* Room for so many parts, whose names have at most name_size bytes with the NUL. */
smoe_result smoe_checkpoint_allocate_parts(smoe_checkpoint *checkpoint, uint32_t count, size_t name_size);
void smoe_checkpoint_close_parts(smoe_checkpoint *checkpoint);
/* Where a part's name is, by index from 0 on. */
char *smoe_checkpoint_part_name(const smoe_checkpoint *checkpoint, uint32_t index);
/* The next part's headers, which become the checkpoint's. FILE where two tensors have the same name. */
smoe_result smoe_checkpoint_add_part(smoe_checkpoint *checkpoint, smoe_layer_file *part);
/* The headers of a part by its name; NULL: none. Owned by the checkpoint. */
smoe_layer_file *smoe_checkpoint_part(const smoe_checkpoint *checkpoint, const char *file);

/* Fills parts and single with GGUF files. `file` ends in SMOE_GGUF_ENDING. */
smoe_result smoe_checkpoint_open_gguf(smoe_checkpoint *checkpoint, const char *file);

/* ---- one layer --------------------------------------------------------------------------------------------------- */

enum { SMOE_AXIS_E, SMOE_AXIS_D, SMOE_AXIS_H, SMOE_AXIS_P, SMOE_AXIS_S, SMOE_AXIS_COUNT };

/* An array of the layer: smoe_slot's, where a tensor filled it. */
typedef struct smoe_slot_memory {
    bool there;
    const smoe_tensor_row *row; /* that filled it */
    uint64_t offset;            /* in the layer's memory */
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
    bool borrowed;            /* the headers are the checkpoint's */
    smoe_file_stream stream;
} smoe_shard;

/* A tensor that the layer needs. */
typedef struct smoe_piece {
    const smoe_tensor_row *row;
    const char *axes; /* the row's, or those of its two orders that the tensor has; up to a | or the end */
    uint32_t expert;  /* for rows of one expert each */
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
    /* of the plan's types: the first matrix that has it, NULL before; whether others are of another type */
    const smoe_file_entry *typed[SMOE_TYPE_FIELDS];
    bool mixed[SMOE_TYPE_FIELDS];
    bool groupless; /* config.json says so, whatever numbers of groups it has */
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
/* The slot that a fused tensor fills too, and that of a matrix's factors; SMOE_SLOT_COUNT: none. */
smoe_slot smoe_slot_partner(smoe_slot slot);
smoe_slot smoe_slot_factor(smoe_slot slot);

/* The type of weights that holds a tensor in blocks. */
smoe_result smoe_layer_type_of_blocks(const smoe_checkpoint_reading *r, const smoe_file_entry *entry, smoe_type *type);
/* Reads a tensor in blocks from where its shard's stream is, and converts it to the plan's type. The factors have been
 * read. */
smoe_result smoe_layer_copy_blocks(const smoe_checkpoint_reading *r, const smoe_piece *piece);

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
