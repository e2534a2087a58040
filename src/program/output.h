/* How every program writes. A file that would be lost is refused before anything runs; a file is written beside its
 * name and takes it once it is whole; and what cannot be written is said, on stdout too. "-" and /dev/stdout are
 * stdout. */
#ifndef PROGRAM_OUTPUT_H
#define PROGRAM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/system.h"

enum { PROGRAM_REASON_SIZE = SMOE_SYSTEM_NAME_SIZE + 512 };

/* ---- what a run reads and writes --------------------------------------------------------------------------------- */

/* What is written: a file that is there is replaced only by one of its kind, unless it is empty. */
typedef enum program_content {
    PROGRAM_SAFETENSORS,
    PROGRAM_JSON,
    PROGRAM_HTML,
    PROGRAM_BYTES /* of no kind */
} program_content;

typedef struct program_file program_file;

/* Begins as zeros. */
typedef struct program_files {
    program_file *files;
    size_t count, capacity;
    bool no_memory;
    /* of the last refusal: "--out a.png is one of the pictures; it is not overwritten" */
    char reason[PROGRAM_REASON_SIZE];
} program_files;

/* Names a file that is read; "-" is stdin, and what is not there is passed over. what: "the model", a string that lives
 * as long. */
void program_files_read(program_files *files, const char *what, const char *path);

/* Names a file that an option has the run write, once every file that is read is named; NULL: none. False, with the
 * reason: it is read, named twice, no regular file, of another kind, or cannot be written. Files are the same whatever
 * they are called. */
bool program_files_write(program_files *files, const char *option, const char *path, program_content content);

void program_files_release(program_files *files);

bool program_is_folder(const char *path);
bool program_is_slash(char character); /* what stands between the parts of a name */

/* Whether a file is there by both names; NULL names none. */
bool program_is_same_file(const char *path, const char *other);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct program_output {
    FILE *stream; /* write to it; failures are remembered. NULL: written by name */
    const char *path;
    smoe_system_draft draft;
    char reason[PROGRAM_REASON_SIZE]; /* "FILE cannot be written: No space left on device" */
} program_output;

bool program_is_stdout(const char *path); /* false for NULL */

/* Both give false with the reason. Where it is not to be kept, or could not be written, what was there before is left
 * as it was. */
bool program_output_open(program_output *output, const char *path);
bool program_output_close(program_output *output, bool keep);

/* For libraries that write by name, in place of opening: the name to give them. For stdout it is a temporary file's,
 * which closing copies there. */
bool program_output_name(program_output *output, const char *path, const char **name);

/* ---- text for the reader ----------------------------------------------------------------------------------------- */

/* stdout; stderr once program_files_write has an output that goes to stdout, so that nothing else is in it. */
FILE *program_text(void);
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void program_printf(const char *format, ...);

/* One line on stderr, whatever bytes it has: "PROGRAM: LINE"; from PROGRAM_LINE_SIZE on it is cut off. */
enum { PROGRAM_LINE_SIZE = 4 * SMOE_SYSTEM_NAME_SIZE };
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void program_say(const char *program, const char *format, ...);

/* ---- a program's beginning and end ------------------------------------------------------------------------------- */

/* First of all in main: where stdin, stdout or stderr is closed, no file is to become it. program: "smoe-run". */
void program_begin(const char *program);

/* What was printed goes out now. False once stdout could not be written: program_end says so. */
bool program_flush(void);

/* Gives the status; or PROGRAM_FAILED in place of PROGRAM_OK, after one line, where stdout could not be written.
 * program: "smoe-run". */
int program_end(const char *program, int status);

#endif
