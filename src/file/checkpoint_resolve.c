/* Finds the tensors of one layer, and what their shapes say. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots and axes ---------------------------------------------------------------------------------------------- */

/* The tensor of the layer that a slot is, and the slot that a fused tensor fills too. */
static const struct {
    const char *name; /* as smoe_layer_tensor_get has it; NULL: no tensor of the layer */
    smoe_slot partner;
} slots[SMOE_SLOT_COUNT] = {
    [SMOE_SLOT_ROUTER_WEIGHT] = {"router_weight", SMOE_SLOT_COUNT},
    [SMOE_SLOT_ROUTER_BIAS] = {"router_bias", SMOE_SLOT_COUNT},
    [SMOE_SLOT_PROJECTION] = {"router_projection", SMOE_SLOT_COUNT},
    [SMOE_SLOT_PROJECTION_BIAS] = {"router_projection_bias", SMOE_SLOT_COUNT},
    [SMOE_SLOT_SIMILARITY] = {"router_similarity", SMOE_SLOT_COUNT},
    [SMOE_SLOT_LOG_SCALE] = {"router_log_scale", SMOE_SLOT_COUNT},
    [SMOE_SLOT_BAND] = {NULL, SMOE_SLOT_COUNT},
    [SMOE_SLOT_SELECTION_BIAS] = {"selection_bias", SMOE_SLOT_COUNT},
    [SMOE_SLOT_W1] = {"w1", SMOE_SLOT_W3},
    [SMOE_SLOT_W3] = {"w3", SMOE_SLOT_COUNT},
    [SMOE_SLOT_B1] = {"b1", SMOE_SLOT_B3},
    [SMOE_SLOT_B3] = {"b3", SMOE_SLOT_COUNT},
    [SMOE_SLOT_W2] = {"w2", SMOE_SLOT_COUNT},
    [SMOE_SLOT_B2] = {"b2", SMOE_SLOT_COUNT},
    [SMOE_SLOT_SHARED_W1] = {"shared_w1", SMOE_SLOT_SHARED_W3},
    [SMOE_SLOT_SHARED_W3] = {"shared_w3", SMOE_SLOT_COUNT},
    [SMOE_SLOT_SHARED_W2] = {"shared_w2", SMOE_SLOT_COUNT},
    [SMOE_SLOT_SHARED_GATE] = {"shared_gate", SMOE_SLOT_COUNT},
};

bool smoe_slot_tensor(const smoe_checkpoint_reading *r, smoe_slot slot, smoe_layer_tensor *out)
{
    for (uint32_t i = 0; slots[slot].name && smoe_layer_tensor_get(&r->out->plan, i, out); i++)
        if (strcmp(out->name, slots[slot].name) == 0)
            return true;
    *out = (smoe_layer_tensor){.name = "", .axes = "1", .axis_count = 1, .shape = {1, 1, 1}, .element_count = 1};
    return false;
}

smoe_slot smoe_slot_partner(smoe_slot slot)
{
    return slots[slot].partner;
}

static const char letters[] = "EDHPS"; /* in the order of SMOE_AXIS_* */

int smoe_layer_axis(char letter)
{
    const char *at = strchr(letters, letter);
    return at ? (int)(at - letters) : -1;
}

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

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const smoe_file_entry *)a)->tensor.name, ((const smoe_file_entry *)b)->tensor.name);
}

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
    shard->path = smoe_checkpoint_join(host, r->checkpoint->folder, file);
    if (!shard->path)
        return smoe_file_out_of_memory(host, strlen(file));
    const smoe_result result = smoe_file_open_tensors(host, shard->path, true, &shard->headers);
    if (result == SMOE_SUCCESS && shard->headers->entry_count > 0)
        qsort(shard->headers->entries, shard->headers->entry_count, sizeof *shard->headers->entries, compare_names);
    return result;
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
    smoe_file_entry key;
    key.tensor.name = name;
    piece->entry =
        headers->entry_count ? bsearch(&key, headers->entries, headers->entry_count, sizeof key, compare_names) : NULL;
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

/* Takes the lengths of axes not known yet from the tensor, and holds the others against it. */
static smoe_result check_shape(smoe_checkpoint_reading *r, const smoe_tensor_row *row, const smoe_tensor *tensor)
{
    uint64_t must[SMOE_TENSOR_MAX_RANK] = {0};
    uint32_t rank = 0;
    bool right = true;
    for (const char *axes = row->axes; *axes && rank < SMOE_TENSOR_MAX_RANK; rank++) {
        const bool pair = is_pair(axes);
        const int axis = smoe_layer_axis(pair && axes[0] == '2' ? axes[1] : axes[0]);
        const uint64_t factor = pair ? 2 : 1, largest = axis == SMOE_AXIS_E ? SMOE_MAX_EXPERTS : SMOE_MAX_WIDTH;
        const uint64_t is = rank < tensor->rank ? tensor->shape[rank] : 0;
        if (axis >= 0 && r->axes[axis] == 0 && is > 0 && is % factor == 0) {
            if (is / factor > largest)
                return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                                      "tensor %.300s has %s %llu; smoe takes %llu at most", tensor->name,
                                      axis_names[axis], (unsigned long long)(is / factor), (unsigned long long)largest);
            r->axes[axis] = is / factor;
        }
        must[rank] = axis >= 0 ? factor * r->axes[axis] : 1;
        right = right && must[rank] == is && is > 0;
        axes += factor;
    }
    if (strcmp(row->axes, "1") == 0 && tensor->rank == 0) /* a scalar */
        return SMOE_SUCCESS;
    if (right && rank == tensor->rank)
        return SMOE_SUCCESS;
    char is[SMOE_FILE_SHAPE_SIZE], asked[SMOE_FILE_SHAPE_SIZE];
    smoe_file_write_shape(is, "0", tensor->rank, tensor->shape);
    smoe_file_write_shape(asked, "n", rank, must);
    if (smoe_file_is_empty(tensor->rank, tensor->shape))
        return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                              "tensor %.300s is %s, but must have elements: every length at least 1", tensor->name, is);
    return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                          "tensor %.300s is %s, but the other tensors ask for %s", tensor->name, is, asked);
}

/* Matrices that share a type in the plan become float32 where the checkpoint has them in several. */
static void learn_type(smoe_checkpoint_reading *r, const smoe_layer_tensor *tensor, smoe_type type)
{
    const size_t kind = (tensor->type_offset - offsetof(smoe_plan_desc, types)) / sizeof(smoe_type);
    void *field = (char *)&r->out->plan + tensor->type_offset;
    smoe_type *known = field;
    r->mixed[kind] = r->mixed[kind] || (r->typed[kind] && type != *known);
    r->typed[kind] = true;
    *known = r->mixed[kind] ? SMOE_TYPE_FLOAT32 : type;
}

/* F64, I64, C64 and the like are no smaller than float32: nobody quantises to them. */
static bool is_wide(const char *type_name)
{
    return strstr(type_name, "64") != NULL || strcmp(type_name, "I32") == 0 || strcmp(type_name, "U32") == 0;
}

static smoe_result check_type(smoe_checkpoint_reading *r, const smoe_tensor_row *row, const smoe_file_entry *entry)
{
    smoe_layer_tensor tensor;
    smoe_type type;
    if (entry->tensor.rank > SMOE_TENSOR_MAX_RANK) /* no row has such a shape, which is what check_shape will say */
        return SMOE_SUCCESS;
    if (!smoe_tensor_type_weights(entry->tensor.type, &type))
        return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                              "tensor %.300s is %s%s, but must be F32, F16 or BF16", entry->tensor.name,
                              entry->type_name, is_wide(entry->type_name) ? "" : ", a type of quantised weights");
    if (smoe_slot_tensor(r, row->slot, &tensor) && tensor.matrix)
        learn_type(r, &tensor, type);
    return SMOE_SUCCESS;
}

static smoe_result resolve_tensor(smoe_checkpoint_reading *r, const smoe_tensor_row *row, uint32_t expert)
{
    const smoe_file_host *host = &r->checkpoint->host;
    smoe_piece piece = {row, expert, 0, NULL};
    smoe_result result = find_entry(r, smoe_layer_name(r, row->name, expert), &piece);
    if (result == SMOE_SUCCESS)
        result = check_type(r, row, piece.entry);
    if (result == SMOE_SUCCESS)
        result = check_shape(r, row, &piece.entry->tensor);
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
    r->slots[row->slot].there = true;
    if (strchr(row->axes, '2'))
        r->slots[smoe_slot_partner(row->slot)].there = true;
    return SMOE_SUCCESS;
}

smoe_result smoe_layer_resolve(smoe_checkpoint_reading *r)
{
    smoe_result result = SMOE_SUCCESS;
    for (const smoe_tensor_row *row = r->checkpoint->table->tensors; result == SMOE_SUCCESS && row->name; row++) {
        if (row->with && !smoe_checkpoint_find(r->checkpoint, smoe_layer_name(r, row->with, 0)))
            continue;
        const uint32_t count = strchr(row->name, '#') ? (uint32_t)r->axes[SMOE_AXIS_E] : 1;
        for (uint32_t expert = 0; result == SMOE_SUCCESS && expert < count; expert++)
            result = resolve_tensor(r, row, expert);
        if (result == SMOE_SUCCESS && strchr(row->name, '#') &&
            smoe_checkpoint_find(r->checkpoint, smoe_layer_name(r, row->name, count)))
            result = smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                                    "tensor %.300s is there, but the router has %u experts", r->name, count);
    }
    if (result == SMOE_SUCCESS && r->slots[SMOE_SLOT_ROUTER_WEIGHT].there && r->slots[SMOE_SLOT_SIMILARITY].there)
        result = smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                                "layer %u: the tensors are those of a linear and of a cosine router at once", r->layer);
    return result;
}
