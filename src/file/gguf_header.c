/* The header of a GGUF file: metadata, then where each tensor lies. It is read twice: what it takes is counted, then
 * kept. */
#include "gguf.h"

#include <float.h>
#include <string.h>

#include "base/text.h"

#define DEFAULT_ALIGNMENT 32u
#define MOST_PAIRS 65536u
#define MOST_TENSORS 1048576u
#define MOST_KEY 65535u  /* bytes, as the format has it */
#define MOST_NAME 64u    /* likewise */
#define MOST_VALUE 4096u /* bytes of a text that is kept: no setting of a layer is as long as a template of chats */
#define MOST_RANK 4u
#define LEAST_PAIR 13u   /* bytes: a key's length, the type of its value, and a byte */
#define LEAST_TENSOR 24u /* bytes: a name's length, the number of lengths, type and offset */

/* The types of values, by their number in the file. */
enum { UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64, VALUE_TYPES };

static const unsigned char value_sizes[VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

typedef struct reading {
    smoe_layer_file *file;
    smoe_gguf_cursor cursor;
    bool keep; /* the second time */
    uint64_t text_size, text_room;
    uint32_t pair_room, entry_room;
    char name[MOST_NAME + 1]; /* of the tensor that is read, for the log */
} reading;

static smoe_result fail(reading *r, const char *text)
{
    if (r->cursor.result == SMOE_SUCCESS)
        r->cursor.result = smoe_file_fail(&r->file->host, SMOE_ERROR_FILE, "%s", text);
    return r->cursor.result;
}

/* The same of the tensor that is read. */
static smoe_result fail_tensor(reading *r, const char *text)
{
    if (r->cursor.result == SMOE_SUCCESS)
        r->cursor.result = smoe_file_fail(&r->file->host, SMOE_ERROR_FILE, "tensor \"%s\": %s", r->name, text);
    return r->cursor.result;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* Room for a text and its end; NULL the first time. */
static char *add_text(reading *r, uint64_t size)
{
    char *to = r->keep && r->text_size + size < r->text_room ? r->file->header + r->text_size : NULL;
    r->text_size += size + 1;
    if (r->keep && !to)
        fail(r, "the header changes while it is read");
    if (to)
        to[size] = '\0';
    return to;
}

/* The next `size` bytes as a text, in which a zero byte is a failure. Empty the first time. */
static const char *take_text(reading *r, uint64_t size, const char *what)
{
    char *to = add_text(r, size);
    if (!to) {
        smoe_gguf_skip(&r->cursor, size, what);
        return "";
    }
    smoe_gguf_take(&r->cursor, to, size, what);
    if (memchr(to, '\0', (size_t)size))
        fail(r, "a key or value of the metadata has a zero byte");
    return to;
}

static const char *keep_text(reading *r, const char *text)
{
    char *to = add_text(r, strlen(text));
    return to ? strcpy(to, text) : "";
}

/* ---- metadata ---------------------------------------------------------------------------------------------------- */

static int64_t sign_extend(uint64_t value, uint32_t size)
{
    const uint64_t sign = UINT64_C(1) << (8 * size - 1);
    return (int64_t)((value ^ sign) - sign);
}

static const char *float_text(char text[SMOE_NUMBER_SIZE], uint64_t bits, bool wide)
{
    const uint32_t low = (uint32_t)bits;
    double value;
    float narrow;
    memcpy(&narrow, &low, sizeof narrow);
    memcpy(&value, &bits, sizeof value);
    return smoe_number_text(text, 9, wide ? value : (double)narrow);
}

/* A number or truth value, as JSON has it. */
static const char *take_scalar(reading *r, uint32_t type)
{
    char text[SMOE_NUMBER_SIZE];
    const uint64_t bits = smoe_gguf_number(&r->cursor, value_sizes[type], "a value of the metadata");
    switch (type) {
    case BOOL: return keep_text(r, bits ? "true" : "false");
    case FLOAT32:
    case FLOAT64: return keep_text(r, float_text(text, bits, type == FLOAT64));
    case INT8:
    case INT16:
    case INT32:
    case INT64: snprintf(text, sizeof text, "%lld", (long long)sign_extend(bits, value_sizes[type])); break;
    default: snprintf(text, sizeof text, "%llu", (unsigned long long)bits); break;
    }
    return keep_text(r, text);
}

static void skip_array(reading *r)
{
    static const char what[] = "an array of the metadata";
    const uint64_t type = smoe_gguf_number(&r->cursor, 4, what), count = smoe_gguf_number(&r->cursor, 8, what);
    if (r->cursor.result != SMOE_SUCCESS)
        return;
    if (type >= VALUE_TYPES || type == ARRAY) {
        fail(r, "an array of the metadata has arrays, or values of an unknown type");
        return;
    }
    const uint64_t least = type == STRING ? 8 : value_sizes[type];
    if (count > smoe_gguf_left(&r->cursor) / least) {
        fail(r, "an array of the metadata is longer than the file");
        return;
    }
    if (type != STRING)
        smoe_gguf_skip(&r->cursor, count * least, what);
    for (uint64_t i = 0; type == STRING && i < count && r->cursor.result == SMOE_SUCCESS; i++)
        smoe_gguf_skip(&r->cursor, smoe_gguf_length(&r->cursor, UINT64_MAX, what), what);
}

/* NULL for what has no text. */
static const char *take_value(reading *r, uint64_t type)
{
    static const char what[] = "a value of the metadata";
    if (type >= VALUE_TYPES) {
        fail(r, "a value of the metadata has an unknown type");
        return NULL;
    }
    if (type == ARRAY) {
        skip_array(r);
        return NULL;
    }
    if (type != STRING)
        return take_scalar(r, (uint32_t)type);
    const uint64_t size = smoe_gguf_length(&r->cursor, UINT64_MAX, what);
    if (size <= MOST_VALUE)
        return take_text(r, size, what);
    smoe_gguf_skip(&r->cursor, size, what);
    return NULL;
}

static void read_pair(reading *r)
{
    const char *key = take_text(r, smoe_gguf_length(&r->cursor, MOST_KEY, "a key of the metadata"), "a key");
    const uint64_t type = smoe_gguf_number(&r->cursor, 4, "a value of the metadata");
    const char *value = r->cursor.result == SMOE_SUCCESS ? take_value(r, type) : NULL;
    if (r->keep && r->cursor.result == SMOE_SUCCESS)
        r->file->metadata[r->file->metadata_count++] = (smoe_file_pair){key, value};
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

/* GGUF's first length is the one whose elements lie side by side. */
static smoe_result read_lengths(reading *r, smoe_tensor *tensor, uint64_t *elements)
{
    uint64_t lengths[MOST_RANK] = {1, 1, 1, 1};
    const uint64_t rank = smoe_gguf_number(&r->cursor, 4, "a tensor's shape");
    *elements = 1;
    if (rank > MOST_RANK)
        return fail_tensor(r, "its shape has more than 4 lengths");
    for (uint64_t i = 0; i < rank; i++) {
        lengths[i] = smoe_gguf_number(&r->cursor, 8, "a tensor's shape");
        if (lengths[i] != 0 && *elements > UINT64_MAX / 64 / lengths[i])
            return fail_tensor(r, "its shape has more elements than any file can hold");
        *elements *= lengths[i];
    }
    tensor->rank = (uint32_t)rank;
    for (uint32_t i = 0; i < SMOE_TENSOR_MAX_RANK; i++)
        tensor->shape[i] = i < rank ? lengths[rank - 1 - i] : 1;
    return r->cursor.result;
}

static smoe_result set_size(reading *r, smoe_file_entry *entry, const smoe_gguf_type *type, uint64_t elements)
{
    const uint64_t row = entry->tensor.rank > 0 ? entry->tensor.shape[entry->tensor.rank - 1] : 1;
    if (type->block_columns == 0)
        return SMOE_SUCCESS;
    if (row % type->block_columns != 0)
        return r->cursor.result =
                   smoe_file_fail(&r->file->host, SMOE_ERROR_FILE,
                                  "tensor \"%s\": its rows have %llu elements, must have a multiple of %u for %s",
                                  r->name, (unsigned long long)row, type->block_columns, type->name);
    if (elements / type->block_columns > SMOE_FILE_MAX_INTEGER / type->block_size)
        return fail_tensor(r, "it has more bytes than any file can hold");
    entry->tensor.size = elements / type->block_columns * type->block_size;
    return SMOE_SUCCESS;
}

static void read_entry(reading *r)
{
    smoe_file_entry entry = {.tensor = {.name = ""}};
    uint64_t elements;
    const uint64_t size = smoe_gguf_length(&r->cursor, MOST_NAME, "a tensor's name");
    smoe_gguf_take(&r->cursor, r->name, size, "a tensor's name");
    r->name[size] = '\0';
    if (memchr(r->name, '\0', (size_t)size))
        fail(r, "a tensor's name has a zero byte");
    entry.tensor.name = keep_text(r, r->name);
    if (read_lengths(r, &entry.tensor, &elements) != SMOE_SUCCESS)
        return;
    const smoe_gguf_type type = smoe_gguf_type_of((uint32_t)smoe_gguf_number(&r->cursor, 4, "a tensor's type"));
    entry.begin = smoe_gguf_number(&r->cursor, 8, "a tensor's offset");
    if (r->cursor.result != SMOE_SUCCESS || set_size(r, &entry, &type, elements) != SMOE_SUCCESS)
        return;
    if (entry.begin > SMOE_FILE_MAX_INTEGER) {
        fail_tensor(r, "its offset lies beyond any file");
        return;
    }
    entry.end = entry.begin + entry.tensor.size;
    entry.tensor.type = type.tensor_type;
    entry.readable = type.plain;
    entry.blocks = type.blocks;
    entry.format = type.format;
    entry.type_name = type.name;
    if (r->keep)
        r->file->entries[r->file->entry_count++] = entry;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static smoe_result check_version(reading *r)
{
    const uint64_t magic = smoe_gguf_number(&r->cursor, 4, "GGUF"), version = smoe_gguf_number(&r->cursor, 4, "GGUF");
    if (r->cursor.result != SMOE_SUCCESS)
        return r->cursor.result;
    if (magic != 0x46554747u) /* "GGUF" */
        return fail(r, "not a GGUF file: it does not begin with GGUF");
    if (version != 0 && (version & 0xffffu) == 0)
        return fail(r, "a GGUF file of big-endian numbers, must be of little-endian ones");
    if (version != 2 && version != 3)
        return r->cursor.result = smoe_file_fail(&r->file->host, SMOE_ERROR_FILE, "GGUF version %llu, must be 2 or 3",
                                                 (unsigned long long)version);
    return SMOE_SUCCESS;
}

/* How many there are; each takes some bytes. */
static uint32_t take_count(reading *r, uint32_t most, uint32_t least, uint32_t room, const char *what)
{
    const uint64_t count = smoe_gguf_number(&r->cursor, 8, what);
    if (r->cursor.result == SMOE_SUCCESS && (count > most || count > smoe_gguf_left(&r->cursor) / least))
        r->cursor.result = smoe_file_fail(&r->file->host, SMOE_ERROR_FILE,
                                          "%llu %s, must be at most %u, and no more than the file has bytes for",
                                          (unsigned long long)count, what, most);
    if (r->keep && count > room)
        fail(r, "the header changes while it is read");
    return r->cursor.result == SMOE_SUCCESS ? (uint32_t)count : 0;
}

/* Where the data begins. */
static smoe_result set_alignment(reading *r)
{
    const char *text = smoe_layer_file_metadata(r->file, "general.alignment");
    uint64_t alignment = DEFAULT_ALIGNMENT;
    if (text && (!smoe_file_parse_integer(text, &alignment) || alignment == 0 || alignment > 1u << 20 ||
                 (alignment & (alignment - 1)) != 0))
        return smoe_file_fail(&r->file->host, SMOE_ERROR_FILE,
                              "metadata general.alignment is \"%.40s\", but must be a power of two up to 2^20", text);
    r->file->alignment = (uint32_t)alignment;
    r->file->data_offset = (r->cursor.at + alignment - 1) / alignment * alignment;
    return SMOE_SUCCESS;
}

static smoe_result read_all(reading *r, const smoe_file_stream *in, bool keep)
{
    smoe_gguf_begin(&r->cursor, &r->file->host, in);
    r->keep = keep;
    r->text_size = 0;
    if (check_version(r) != SMOE_SUCCESS)
        return r->cursor.result;
    const uint32_t tensors = take_count(r, MOST_TENSORS, LEAST_TENSOR, r->entry_room, "tensors");
    const uint32_t pairs = take_count(r, MOST_PAIRS, LEAST_PAIR, r->pair_room, "pairs of metadata");
    for (uint32_t i = 0; i < pairs && r->cursor.result == SMOE_SUCCESS; i++)
        read_pair(r);
    for (uint32_t i = 0; i < tensors && r->cursor.result == SMOE_SUCCESS; i++)
        read_entry(r);
    r->entry_room = tensors;
    r->pair_room = pairs;
    return r->cursor.result;
}

static smoe_result allocate(reading *r)
{
    smoe_layer_file *file = r->file;
    const uint64_t entries = (uint64_t)r->entry_room * sizeof *file->entries;
    const uint64_t pairs = (uint64_t)r->pair_room * sizeof *file->metadata;
    r->text_room = r->text_size;
    file->header = smoe_file_allocate(&file->host, r->text_room);
    file->entries = smoe_file_allocate(&file->host, entries);
    file->metadata = smoe_file_allocate(&file->host, pairs);
    return file->header && file->entries && file->metadata
               ? SMOE_SUCCESS
               : smoe_file_out_of_memory(&file->host, r->text_room + entries + pairs);
}

smoe_result smoe_gguf_read_header(smoe_layer_file *file, const smoe_file_stream *in)
{
    reading r = {.file = file};
    smoe_result result = read_all(&r, in, false);
    if (result == SMOE_SUCCESS)
        result = allocate(&r);
    if (result == SMOE_SUCCESS)
        result = read_all(&r, in, true);
    if (result == SMOE_SUCCESS)
        result = smoe_file_sort_entries(file);
    if (result == SMOE_SUCCESS)
        result = smoe_file_sort_metadata(file);
    return result == SMOE_SUCCESS ? set_alignment(&r) : result;
}
