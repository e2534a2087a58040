#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "progress.h"
#include "text.h"

static bool stdout_is_data; /* an output goes there */

/* ---- what a run reads and writes --------------------------------------------------------------------------------- */

struct program_file {
    smoe_system_identity identity;
    const char *name; /* what it is, or the option that has it written */
    bool written, is_stdout;
};

bool program_is_stdout(const char *path)
{
    static const char *const names[] = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; path && i < sizeof names / sizeof *names; i++)
        if (strcmp(path, names[i]) == 0)
            return true;
    return false;
}

static void add(program_files *files, const program_file *file)
{
    if (files->count == files->capacity) {
        const size_t capacity = files->capacity ? 2 * files->capacity : 16;
        program_file *grown = realloc(files->files, capacity * sizeof *grown);
        files->no_memory = files->no_memory || !grown;
        if (!grown)
            return;
        files->files = grown;
        files->capacity = capacity;
    }
    files->files[files->count++] = *file;
}

void program_files_read(program_files *files, const char *what, const char *path)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    const program_file file = {.identity = is_stdin ? smoe_system_identify_stream(stdin) : smoe_system_identify(path),
                               .name = what};
    if (file.identity.kind == SMOE_SYSTEM_FILE)
        add(files, &file);
}

static bool refuse(program_files *files, const char *option, const char *path, const char *rule, const char *what)
{
    const int used = snprintf(files->reason, sizeof files->reason, "%s %.*s ", option, SMOE_SYSTEM_NAME_SIZE, path);
    snprintf(files->reason + used, sizeof files->reason - (size_t)used, rule, what);
    return false;
}

/* Safetensors begin with the size of their header, a JSON object, in 8 bytes. */
static bool begins_as_safetensors(const unsigned char *begin, size_t count, uint64_t size)
{
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | begin[i];
    return count >= 9 && begin[8] == '{' && header <= size - 8;
}

static bool begins_as_json(const unsigned char *begin, size_t count, uint64_t size)
{
    size_t blanks = 0;
    while (blanks < count && isspace(begin[blanks]))
        blanks++;
    (void)size;
    return blanks < count && begin[blanks] == '{';
}

static bool begins_as_html(const unsigned char *begin, size_t count, uint64_t size)
{
    static const char first[] = "<!doctype html";
    (void)size;
    for (size_t i = 0; i + 1 < sizeof first; i++)
        if (i >= count || tolower(begin[i]) != first[i])
            return false;
    return true;
}

/* Whether a file that is there may be replaced, by what it holds. One that cannot be read is judged by opening it for
 * writing. */
static bool is_of_kind(const char *path, program_content content, const char **kind)
{
    static const struct {
        const char *name;
        bool (*begins)(const unsigned char *begin, size_t count, uint64_t size);
    } kinds[] = {[PROGRAM_SAFETENSORS] = {"no safetensors file", begins_as_safetensors},
                 [PROGRAM_JSON] = {"no JSON object", begins_as_json},
                 [PROGRAM_HTML] = {"no HTML", begins_as_html}};
    unsigned char begin[64] = {0};
    FILE *file = content == PROGRAM_BYTES ? NULL : smoe_system_file_open(path, SMOE_SYSTEM_FILE_READ);
    if (!file)
        return true;
    const size_t count = fread(begin, 1, sizeof begin, file);
    const uint64_t size = smoe_system_file_size(file);
    fclose(file);
    *kind = kinds[content].name;
    return size == 0 || kinds[content].begins(begin, count, size);
}

/* The first file that is the same. */
static const program_file *find_same(const program_files *files, const program_file *file)
{
    for (size_t i = 0; i < files->count; i++) {
        const program_file *other = &files->files[i];
        if (file->is_stdout ? other->is_stdout
                            : !other->is_stdout && smoe_system_is_same(&file->identity, &other->identity))
            return other;
    }
    return NULL;
}

static bool is_stream(const smoe_system_identity *identity, FILE *stream)
{
    const smoe_system_identity other = smoe_system_identify_stream(stream);
    return other.kind == SMOE_SYSTEM_FILE && smoe_system_is_same(identity, &other);
}

static bool check_identity(program_files *files, const program_file *file, const char *path)
{
    const program_file *same = find_same(files, file);
    if (same && !same->written)
        return refuse(files, file->name, path, "is %s; it is not overwritten", same->name);
    if (same)
        return strcmp(same->name, file->name) == 0
                   ? refuse(files, file->name, path, "would be written twice%s", "")
                   : refuse(files, file->name, path, "and %s name the same file", same->name);
    if (file->is_stdout)
        return true;
    if (file->identity.kind == SMOE_SYSTEM_FOLDER || file->identity.kind == SMOE_SYSTEM_DEVICE)
        return refuse(files, file->name, path, "cannot be written: it is %s",
                      file->identity.kind == SMOE_SYSTEM_FOLDER ? "a folder" : "no regular file");
    if (is_stream(&file->identity, stdout) || is_stream(&file->identity, stderr))
        return refuse(files, file->name, path, "is where what the program prints goes; it is not overwritten%s", "");
    return true;
}

bool program_files_write(program_files *files, const char *option, const char *path, program_content content)
{
    if (!path)
        return true;
    const program_file file = {.identity = smoe_system_identify(path), .name = option, .written = true,
                               .is_stdout = program_is_stdout(path)};
    const char *kind = "";
    if (!check_identity(files, &file, path))
        return false;
    if (!file.is_stdout && file.identity.kind == SMOE_SYSTEM_FILE && !is_of_kind(path, content, &kind))
        return refuse(files, option, path, "is there and is %s; it is not overwritten", kind);
    smoe_system_draft draft;
    char reason[SMOE_SYSTEM_REASON_SIZE];
    if (!file.is_stdout && (!smoe_system_draft_open(&draft, path) || !smoe_system_draft_close(&draft, false)))
        return refuse(files, option, path, "cannot be written: %s", smoe_system_reason(reason));
    stdout_is_data = stdout_is_data || file.is_stdout;
    add(files, &file);
    errno = ENOMEM;
    return !files->no_memory || refuse(files, option, path, "cannot be compared with the files that are read: %s",
                                       smoe_system_reason(reason));
}

void program_files_release(program_files *files)
{
    free(files->files);
    *files = (program_files){0};
}

bool program_is_folder(const char *path)
{
    return smoe_system_identify(path).kind == SMOE_SYSTEM_FOLDER;
}

bool program_is_slash(char character)
{
    return smoe_system_is_slash(character);
}

bool program_is_same_file(const char *path, const char *other)
{
    if (!path || !other)
        return false;
    const smoe_system_identity a = smoe_system_identify(path), b = smoe_system_identify(other);
    return a.kind != SMOE_SYSTEM_NOTHING && smoe_system_is_same(&a, &b);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int stdout_reason;   /* errno of the first failure; 0: none */
static bool stdout_is_said; /* the user knows */

bool program_flush(void)
{
    if (stdout_reason)
        return false;
    if (!smoe_system_flush(stdout))
        stdout_reason = errno;
    return stdout_reason == 0;
}

static bool fail(program_output *output)
{
    char reason[SMOE_SYSTEM_REASON_SIZE];
    snprintf(output->reason, sizeof output->reason, "%.*s cannot be written: %s", SMOE_SYSTEM_NAME_SIZE, output->path,
             smoe_system_reason(reason));
    return false;
}

bool program_output_open(program_output *output, const char *path)
{
    output->path = path;
    output->reason[0] = '\0';
    if (program_is_stdout(path)) {
        output->stream = stdout;
        smoe_system_binary(stdout);
        return true;
    }
    const bool opened = smoe_system_draft_open(&output->draft, path);
    output->stream = output->draft.stream;
    return opened || fail(output);
}

/* A file of this name to the end of the stream; false, with errno, where it cannot be read. */
static bool copy(const char *name, FILE *to)
{
    char bytes[65536];
    FILE *from = smoe_system_file_open(name, SMOE_SYSTEM_FILE_READ);
    if (!from)
        return false;
    errno = EIO;
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, from)) > 0;)
        if (fwrite(bytes, 1, size, to) < size)
            break; /* which flushing finds */
    const bool good = !ferror(from);
    fclose(from);
    return good;
}

/* What a library has written by name. */
static bool close_named(program_output *output, bool keep)
{
    if (!output->draft.name[0])
        return true;
    smoe_system_binary(stdout);
    const bool copied = !keep || copy(output->draft.name, stdout) || fail(output);
    smoe_system_file_remove(output->draft.name);
    output->stream = stdout;
    return copied && program_output_close(output, keep);
}

bool program_output_close(program_output *output, bool keep)
{
    if (!output->stream)
        return close_named(output, keep);
    if (output->stream != stdout)
        return smoe_system_draft_close(&output->draft, keep) || fail(output);
    if (program_flush())
        return true;
    stdout_is_said = true;
    errno = stdout_reason;
    return fail(output);
}

bool program_output_name(program_output *output, const char *path, const char **name)
{
    const bool temporary = program_is_stdout(path);
    output->path = path;
    output->stream = NULL;
    output->reason[0] = output->draft.name[0] = '\0';
    *name = temporary ? output->draft.name : path;
    return !temporary || smoe_system_temporary(output->draft.name) || fail(output);
}

/* ---- text for the reader ----------------------------------------------------------------------------------------- */

FILE *program_text(void)
{
    return stdout_is_data ? stderr : stdout;
}

void program_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(program_text(), format, arguments);
    va_end(arguments);
}

void program_say(const char *program, const char *format, ...)
{
    char line[PROGRAM_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    program_progress_clear();
    fprintf(stderr, "%s: ", program);
    program_print(stderr, line);
    fputc('\n', stderr);
}

/* ---- a program's beginning and end ------------------------------------------------------------------------------- */

void program_begin(const char *program)
{
    char reason[SMOE_SYSTEM_REASON_SIZE];
    if (smoe_system_fill_streams())
        return;
    fprintf(stderr, "%s: /dev/null cannot be opened in place of a closed stream: %s\n", program,
            smoe_system_reason(reason));
    exit(PROGRAM_FAILED);
}

int program_end(const char *program, int status)
{
    char reason[SMOE_SYSTEM_REASON_SIZE];
    if (program_flush())
        return status;
    errno = stdout_reason;
    if (!stdout_is_said)
        fprintf(stderr, "%s: standard output cannot be written: %s\n", program, smoe_system_reason(reason));
    stdout_is_said = true;
    return status == PROGRAM_OK ? PROGRAM_FAILED : status;
}
