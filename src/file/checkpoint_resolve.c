/* Finds the tensors of one layer, and what their shapes say. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------------------------------- */

const char *smoe_layer_name(smoe_checkpoint_reading *r, const char *name, uint32_t expert)
{
    const char *mark = strchr(name, '#');
    const int before = (int)(mark ? mark - name : (ptrdiff_t)strlen(name));
    if (mark)
        snprintf(r->name, r->name_size, "%.*s%.*s%u%s", (int)r->prefix_size, r->prefix, before, name, expert, mark + 1);
    else
        snprintf(r->name, r->name_size, "%.*s%s", (int)r->prefix_size, r->prefix, name);
    return r->name;
}

/* What a quantised checkpoint has in place of a tensor: gpt-oss's blocks and scales, GPTQ's and AWQ's words,
 * compressed-tensors'. */
static const char *quantised_instead(const smoe_checkpoint_reading *r, const char *name, char *text, size_t size)
{
    static const char *const endings[] = {"_blocks", "_scales", ".qweight", "_packed", "_quantized"};
    const size_t length = strlen(name);
    const bool is_weight = length > 7 && strcmp(name + length - 7, ".weight") == 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t keep = endings[i][0] == '.' && is_weight ? length - 7 : length;
        snprintf(text, size, "%.*s%s", (int)keep, name, endings[i]);
        if (smoe_checkpoint_find(r->checkpoint, text))
            return text;
    }
    return NULL;
}

static smoe_result missing(const smoe_checkpoint_reading *r, const char *name)
{
    const smoe_file_host *host = &r->checkpoint->host;
    char text[512];
    if (quantised_instead(r, name, text, sizeof text))
        return smoe_file_fail(host, SMOE_ERROR_UNSUPPORTED,
                              "tensor %.200s is missing, %.200s is there: quantised weights are not read", name, text);
    return smoe_file_fail(host, SMOE_ERROR_FILE, "tensor %.300s is missing from layer %u of format %s", name, r->layer,
                          r->checkpoint->table->model_type);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Makes room for more elements; what the array held is kept, and stays as it is without memory. */
static bool grow(const smoe_file_host *host, void **array, uint64_t used, uint64_t capacity, size_t element)
{
    void *memory = smoe_file_allocate(host, capacity * element);
    if (!memory)
        return false;
    if (used)
        memcpy(memory, *array, (size_t)used * element);
    smoe_file_release(host, *array);
    *array = memory;
    return true;
}

static smoe_result open_shard(smoe_checkpoint_reading *r, const char *file, uint32_t *index)
{
    const smoe_file_host *host = &r->checkpoint->host;
    for (*index = 0; *index < r->shard_count; ++*index)
        if (strcmp(r->shards[*index].file, file) == 0)
            return SMOE_SUCCESS;
    void *shards = r->shards;
    if (!grow(host, &shards, r->shard_count, (uint64_t)r->shard_count + 1, sizeof *r->shards))
        return smoe_file_out_of_memory(host, sizeof *r->shards);
    r->shards = shards;
    smoe_shard *shard = &r->shards[r->shard_count++];
    memset(shard, 0, sizeof *shard);
    shard->file = file;
    shard->path = smoe_file_join(host, r->checkpoint->folder, file);
    if (!shard->path)
        return smoe_file_out_of_memory(host, strlen(file));
    shard->headers = smoe_checkpoint_part(r->checkpoint, file);
    shard->borrowed = shard->headers != NULL;
    if (shard->borrowed)
        return SMOE_SUCCESS;
    const smoe_result result = smoe_file_open_tensors(host, shard->path, true, &shard->headers);
    return result == SMOE_SUCCESS ? smoe_file_sort_entries(shard->headers) : result;
}

static smoe_result find_entry(smoe_checkpoint_reading *r, const char *name, smoe_piece *piece)
{
    const smoe_checkpoint_name *found = smoe_checkpoint_find(r->checkpoint, name);
    if (!found)
        return missing(r, name);
    const smoe_result result = open_shard(r, found->file, &piece->shard);
    if (result != SMOE_SUCCESS)
        return result;
    const smoe_layer_file *headers = r->shards[piece->shard].headers;
    piece->entry = smoe_file_find_sorted(headers, name);
    if (!piece->entry)
        return smoe_file_fail(&headers->host, SMOE_ERROR_FILE, "tensor %.300s is not here, where the index has it",
                              name);
    return SMOE_SUCCESS;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static const char *const axis_names[SMOE_AXIS_COUNT] = {"experts", "d_model", "d_hidden", "projection_width",
                                                        "shared_hidden"};

static bool is_pair(const char *axes)
{
    return (axes[0] == '2' && axes[1]) || ((axes[0] == 'H' || axes[0] == 'S') && axes[1] == '2');
}

/* One axis of a file: `factor` times the length of `axis`, -1 for a length of one; `size` letters of a row. */
typedef struct smoe_axis_word {
    int axis;
    uint64_t factor;
    size_t size;
} smoe_axis_word;

static smoe_axis_word read_word(const smoe_checkpoint_reading *r, const char *axes)
{
    if (is_pair(axes))
        return (smoe_axis_word){smoe_layer_axis(axes[0] == '2' ? axes[1] : axes[0]), 2, 2};
    if (axes[0] == 'E' && axes[1] == '*') /* the router's tensor, which comes first, has given E */
        return (smoe_axis_word){smoe_layer_axis(axes[2]), r->axes[SMOE_AXIS_E], 3};
    return (smoe_axis_word){smoe_layer_axis(axes[0]), 1, 1};
}

static bool ends(const char *axes)
{
    return *axes == '\0' || *axes == '|';
}

/* What the tensor's axes say: each axis's lengths as far as they are known, and the shape that they ask for. */
typedef struct fitted_shape {
    uint64_t axes[SMOE_AXIS_COUNT], must[SMOE_TENSOR_MAX_RANK];
    uint32_t rank;
    bool right;
    int too_large; /* an axis that is; -1: none */
} fitted_shape;

/* Takes the lengths of axes not known yet from the tensor, and holds the others against it. */
static fitted_shape fit_shape(const smoe_checkpoint_reading *r, const char *axes, const smoe_tensor *tensor)
{
    fitted_shape fit = {.right = true, .too_large = -1};
    memcpy(fit.axes, r->axes, sizeof fit.axes);
    const bool scalar = axes[0] == '1' && ends(axes + 1) && tensor->rank == 0;
    for (; !ends(axes) && fit.rank < SMOE_TENSOR_MAX_RANK; fit.rank++) {
        const smoe_axis_word word = read_word(r, axes);
        const int axis = word.axis;
        const uint64_t factor = word.factor, largest = axis == SMOE_AXIS_E ? SMOE_MAX_EXPERTS : SMOE_MAX_WIDTH;
        const uint64_t is = fit.rank < tensor->rank ? tensor->shape[fit.rank] : 0;
        if (axis >= 0 && fit.axes[axis] == 0 && is > 0 && is % factor == 0) {
            fit.axes[axis] = is / factor;
            if (is / factor > largest && fit.too_large < 0)
                fit.too_large = axis;
        }
        fit.must[fit.rank] = axis >= 0 ? factor * fit.axes[axis] : 1;
        fit.right = fit.right && fit.must[fit.rank] == is && is > 0;
        axes += word.size;
    }
    fit.right = scalar || (fit.right && fit.rank == tensor->rank);
    return fit;
}

static smoe_result refuse_shape(const smoe_checkpoint_reading *r, const smoe_tensor *tensor, const fitted_shape *fit)
{
    const smoe_file_host *host = &r->checkpoint->host;
    if (fit->too_large >= 0)
        return smoe_file_fail(host, SMOE_ERROR_UNSUPPORTED, "tensor %.300s has %s %llu; smoe takes %u at most",
                              tensor->name, axis_names[fit->too_large], (unsigned long long)fit->axes[fit->too_large],
                              fit->too_large == SMOE_AXIS_E ? SMOE_MAX_EXPERTS : SMOE_MAX_WIDTH);
    char is[SMOE_FILE_SHAPE_SIZE], asked[SMOE_FILE_SHAPE_SIZE];
    smoe_file_write_shape(is, "0", tensor->rank, tensor->shape);
    smoe_file_write_shape(asked, "n", fit->rank, fit->must);
    if (smoe_file_is_empty(tensor->rank, tensor->shape))
        return smoe_file_fail(host, SMOE_ERROR_FILE,
                              "tensor %.300s is %s, but must have elements: every length at least 1", tensor->name, is);
    return smoe_file_fail(host, SMOE_ERROR_FILE, "tensor %.300s is %s, but the other tensors ask for %s", tensor->name,
                          is, asked);
}

/* Chooses the piece's order of axes, and learns what axes were not known yet. */
static smoe_result check_shape(smoe_checkpoint_reading *r, smoe_piece *piece, const smoe_tensor *tensor)
{
    const char *other = strchr(piece->row->axes, '|');
    fitted_shape fit = fit_shape(r, piece->axes, tensor);
    if (other) {
        const fitted_shape second = fit_shape(r, other + 1, tensor);
        if (fit.right && second.right)
            return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                                  "tensor %.300s: its shape does not tell in which of two orders its axes are",
                                  tensor->name);
        if (second.right) {
            piece->axes = other + 1;
            fit = second;
        }
    }
    if (!fit.right || fit.too_large >= 0)
        return refuse_shape(r, tensor, &fit);
    memcpy(r->axes, fit.axes, sizeof r->axes);
    return SMOE_SUCCESS;
}

/* Matrices that share a type in the plan become float32 where the checkpoint has them in several without scales. */
static smoe_result learn_type(smoe_checkpoint_reading *r, const smoe_layer_tensor *tensor, const smoe_file_entry *entry,
                              smoe_type type)
{
    const size_t kind = (tensor->type_offset - offsetof(smoe_plan_desc, types)) / sizeof(smoe_type);
    void *field = (char *)&r->out->plan + tensor->type_offset;
    smoe_type *known = field;
    const smoe_file_entry *first = r->typed[kind];
    if (first && type != *known && (entry->blocks || first->blocks))
        return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                              "tensor %.64s is %s, but %.64s is %s: no type of weights holds both", entry->tensor.name,
                              entry->type_name, first->tensor.name, first->type_name);
    r->mixed[kind] = r->mixed[kind] || (first && type != *known);
    r->typed[kind] = first ? first : entry;
    *known = r->mixed[kind] ? SMOE_TYPE_FLOAT32 : type;
    return SMOE_SUCCESS;
}

/* F64, I64, C64 and the like are no smaller than float32: nobody quantises to them. */
static bool is_wide(const char *type_name)
{
    return strstr(type_name, "64") != NULL || strcmp(type_name, "I32") == 0 || strcmp(type_name, "U32") == 0;
}

static smoe_result wrong_type(const smoe_checkpoint_reading *r, const smoe_file_entry *entry, bool matrix)
{
    const bool gguf = r->checkpoint->gguf;
    const char *quantised = gguf || is_wide(entry->type_name) ? "" : ", a type of quantised weights";
    return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED, "tensor %.300s is %s%s, but must be %s",
                          entry->tensor.name, entry->type_name, quantised,
                          gguf && matrix ? "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL, "
                                           "IQ4_XS, MXFP4 or NVFP4"
                                         : "F32, F16 or BF16");
}

static smoe_result check_type(smoe_checkpoint_reading *r, const smoe_tensor_row *row, const smoe_file_entry *entry)
{
    smoe_layer_tensor tensor;
    smoe_type type;
    const bool matrix = smoe_slot_tensor(r, row->slot, &tensor) && tensor.matrix;
    if (entry->tensor.rank > SMOE_TENSOR_MAX_RANK) /* no row has such a shape, which is what check_shape will say */
        return SMOE_SUCCESS;
    if (entry->blocks && matrix) {
        const smoe_result result = smoe_layer_type_of_blocks(r, entry, &type);
        if (result != SMOE_SUCCESS)
            return result;
    } else if (entry->blocks || !smoe_tensor_type_weights(entry->tensor.type, &type)) {
        return wrong_type(r, entry, matrix);
    }
    return matrix ? learn_type(r, &tensor, entry, type) : SMOE_SUCCESS;
}

/* A tensor's shape with leading lengths of 1 put there or left out, which GGUF does not tell apart: as many as `rank`
 * asks for. */
static smoe_tensor with_rank(const smoe_tensor *tensor, uint32_t rank)
{
    smoe_tensor t = *tensor;
    while (t.rank > rank && t.shape[0] == 1) {
        memmove(t.shape, t.shape + 1, (SMOE_TENSOR_MAX_RANK - 1) * sizeof t.shape[0]);
        t.shape[SMOE_TENSOR_MAX_RANK - 1] = 1;
        t.rank--;
    }
    while (t.rank < rank && t.rank < SMOE_TENSOR_MAX_RANK) {
        memmove(t.shape + 1, t.shape, (SMOE_TENSOR_MAX_RANK - 1) * sizeof t.shape[0]);
        t.shape[0] = 1;
        t.rank++;
    }
    return t;
}

static uint32_t rank_of(const smoe_checkpoint_reading *r, const char *axes)
{
    uint32_t rank = 0;
    for (; !ends(axes); axes += read_word(r, axes).size)
        rank++;
    return rank;
}

/* A file may have a tensor under two names, of which a format has both. */
static smoe_result fill_slot(smoe_checkpoint_reading *r, smoe_slot index, const smoe_tensor_row *row)
{
    smoe_slot_memory *slot = &r->slots[index];
    if (slot->there && slot->row != row)
        return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                              "layer %u has both %.100s and %.100s, which are the same part of format %s", r->layer,
                              slot->row->name, row->name, r->checkpoint->table->model_type);
    slot->there = true;
    slot->row = row;
    return SMOE_SUCCESS;
}

static smoe_result resolve_tensor(smoe_checkpoint_reading *r, const smoe_tensor_row *row, uint32_t expert)
{
    const smoe_file_host *host = &r->checkpoint->host;
    smoe_piece piece = {row, row->axes, expert, 0, NULL};
    smoe_result result = find_entry(r, smoe_layer_name(r, row->name, expert), &piece);
    if (result == SMOE_SUCCESS)
        result = check_type(r, row, piece.entry);
    if (result != SMOE_SUCCESS)
        return result;
    const smoe_tensor tensor =
        r->checkpoint->gguf ? with_rank(&piece.entry->tensor, rank_of(r, row->axes)) : piece.entry->tensor;
    result = check_shape(r, &piece, &tensor);
    if (result != SMOE_SUCCESS)
        return result;
    if (r->piece_count == r->piece_capacity) {
        const uint32_t capacity = r->piece_capacity ? 2 * r->piece_capacity : 64;
        void *pieces = r->pieces;
        if (!grow(host, &pieces, r->piece_count, capacity, sizeof *r->pieces))
            return smoe_file_out_of_memory(host, (uint64_t)capacity * sizeof *r->pieces);
        r->pieces = pieces;
        r->piece_capacity = capacity;
    }
    r->pieces[r->piece_count++] = piece;
    result = fill_slot(r, row->slot, row);
    return result == SMOE_SUCCESS && strchr(row->axes, '2') ? fill_slot(r, smoe_slot_partner(row->slot), row) : result;
}

/* Whether the row is read from this layer. */
static bool has_row(smoe_checkpoint_reading *r, const smoe_tensor_row *row)
{
    const bool without = row->with && strncmp(row->with, SMOE_WITHOUT, 1) == 0;
    if (!row->with)
        return true;
    return (smoe_checkpoint_find(r->checkpoint, smoe_layer_name(r, row->with + without, 0)) != NULL) != without;
}

/* A row's tensor, or each expert's. */
static smoe_result resolve_row(smoe_checkpoint_reading *r, const smoe_tensor_row *row)
{
    const bool each = strchr(row->name, '#') != NULL;
    const uint32_t count = each ? (uint32_t)r->axes[SMOE_AXIS_E] : 1;
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t expert = 0; result == SMOE_SUCCESS && expert < count; expert++)
        result = resolve_tensor(r, row, expert);
    if (result == SMOE_SUCCESS && each && smoe_checkpoint_find(r->checkpoint, smoe_layer_name(r, row->name, count)))
        result = smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                                "tensor %.300s is there, but the router has %u experts", r->name, count);
    return result;
}

/* Whether the matrix was read that a factor's name is of: the same name but for its end. */
static bool has_matrix(const smoe_checkpoint_reading *r, const char *factor)
{
    const size_t stem = strlen(factor) - strlen("scale");
    for (uint32_t i = 0; i < r->piece_count; i++) {
        const smoe_tensor_row *row = r->pieces[i].row;
        if (smoe_slot_factor(row->slot) != SMOE_SLOT_COUNT && strncmp(row->name, factor, stem) == 0)
            return true;
    }
    return false;
}

/* A factor multiplies the matrix of its own name, and blocks only. */
static smoe_result check_factors(const smoe_checkpoint_reading *r)
{
    for (uint32_t i = 0; i < r->piece_count; i++) {
        const smoe_piece *piece = &r->pieces[i];
        if (piece->row->slot >= SMOE_SLOT_FACTOR_W1 && !has_matrix(r, piece->row->name))
            return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                                  "tensor %.64s is there, but not the .weight that it multiplies",
                                  piece->entry->tensor.name);
        const smoe_slot factor = smoe_slot_factor(piece->row->slot);
        if (factor != SMOE_SLOT_COUNT && r->slots[factor].there && !piece->entry->blocks)
            return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                                  "tensor %.64s is %s, but has a tensor .scale, which only blocks may have",
                                  piece->entry->tensor.name, piece->entry->type_name);
    }
    return SMOE_SUCCESS;
}

smoe_result smoe_layer_resolve(smoe_checkpoint_reading *r)
{
    smoe_result result = SMOE_SUCCESS;
    for (const smoe_tensor_row *row = r->checkpoint->table->tensors; result == SMOE_SUCCESS && row->name; row++)
        if (has_row(r, row))
            result = resolve_row(r, row);
    if (result == SMOE_SUCCESS && r->slots[SMOE_SLOT_ROUTER_WEIGHT].there && r->slots[SMOE_SLOT_SIMILARITY].there)
        result = smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                                "layer %u: the tensors are those of a linear and of a cosine router at once", r->layer);
    return result == SMOE_SUCCESS ? check_factors(r) : result;
}
