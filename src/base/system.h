/* Where systems differ: POSIX and Windows. Nothing else under src calls either.
 *
 * The library that uses a part has its file, and no other library does: system.c is libsmoe's; system_clock.c,
 * system_loader.c and system_thread.c are libsmoe-device's; system_file*.c are libsmoe-file's. SConstruct lists what
 * else of src/base the other libraries use: the shared ones have hidden copies of it. A program may be linked with all
 * of the three archives, where no name may be defined twice. */
#ifndef SMOE_BASE_SYSTEM_H
#define SMOE_BASE_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct smoe_host;

/* ---- threads: a mutex, and a condition to wait for under it ------------------------------------------------------ */

typedef struct smoe_system_monitor smoe_system_monitor;

/* NULL where there is no host memory. */
smoe_system_monitor *smoe_system_monitor_create(const struct smoe_host *host);
void smoe_system_monitor_destroy(const struct smoe_host *host, smoe_system_monitor *monitor); /* NULL is legal */

void smoe_system_lock(smoe_system_monitor *monitor);
void smoe_system_unlock(smoe_system_monitor *monitor);

/* Both by a thread that has the lock. A wait gives the lock up meanwhile, and may end without a wake. */
void smoe_system_wait(smoe_system_monitor *monitor);
void smoe_system_wake_all(smoe_system_monitor *monitor);

/* ---- threads of one's own ---------------------------------------------------------------------------------------- */

typedef struct smoe_system_thread {
    uintptr_t handle;
    void (*run)(void *user);
    void *user;
} smoe_system_thread;

/* Calls run(user) on a new thread, which no signal interrupts; *thread stays where it is until it is joined. False
 * where the system has no thread to give: then there is nothing to join. */
bool smoe_system_thread_start(smoe_system_thread *thread, void (*run)(void *user), void *user);
void smoe_system_thread_join(smoe_system_thread *thread);

/* Those that this process may use; 1 where the system does not tell. */
uint32_t smoe_system_processor_count(void);

/* ---- the clock --------------------------------------------------------------------------------------------------- */

/* Nanoseconds since some moment; never set back. */
double smoe_system_time(void);

/* ---- Vulkan's loader --------------------------------------------------------------------------------------------- */

/* Opens the system's Vulkan loader: the library, NULL if there is none, and its vkGetInstanceProcAddr. No file of the
 * current folder is taken for it. Safe on many threads at once: the system counts the references. */
void *smoe_system_loader_open(void (**get_instance_proc_addr)(void));
void smoe_system_loader_close(void *library);

/* ---- files by name, of any size ---------------------------------------------------------------------------------- */

enum { SMOE_SYSTEM_NAME_SIZE = 4096 + 8 };

typedef enum smoe_system_file_mode {
    SMOE_SYSTEM_FILE_READ,
    SMOE_SYSTEM_FILE_WRITE /* makes it, or empties what is there */
} smoe_system_file_mode;

/* Binary streams; NULL, with errno, where it cannot be. Names are UTF-8 on every system; what C has for them takes
 * others on Windows. Only a regular file is read, and nothing waits for the other end of a pipe: errno is EISDIR for a
 * folder, and ESPIPE for what else is no regular file. */
FILE *smoe_system_file_open(const char *name, smoe_system_file_mode mode);

/* What errno says, in English and on any thread: the rest of a sentence. */
enum { SMOE_SYSTEM_REASON_SIZE = 48 };
const char *smoe_system_reason(char text[SMOE_SYSTEM_REASON_SIZE]);

void smoe_system_file_remove(const char *name);

/* Makes an empty file where the system keeps temporary ones, for its user only. False, with errno. */
bool smoe_system_temporary(char name[SMOE_SYSTEM_NAME_SIZE]);

/* The running program's own file, links followed; false where the system does not tell. */
bool smoe_system_program(char name[SMOE_SYSTEM_NAME_SIZE]);

/* Where stdin, stdout or stderr is closed, something takes its place that fails as before, so that no file becomes it.
 * False, with errno, where that cannot be. */
bool smoe_system_fill_streams(void);

bool smoe_system_is_terminal(FILE *stream);

/* Bytes as they are from here on: Windows has streams, stdout among them, that change the ends of lines. */
void smoe_system_binary(FILE *stream);

/* From the file's beginning. */
bool smoe_system_file_seek(FILE *stream, uint64_t offset);

/* Bytes of a file; 0 for files of the kernel. Leaves the stream at its end. */
uint64_t smoe_system_file_size(FILE *stream);

/* ---- which file a name means ------------------------------------------------------------------------------------- */

typedef enum smoe_system_kind {
    SMOE_SYSTEM_NOTHING, /* no file has the name, but one may be made */
    SMOE_SYSTEM_FILE,    /* a regular one */
    SMOE_SYSTEM_FOLDER,
    SMOE_SYSTEM_DEVICE /* or a pipe, a socket */
} smoe_system_kind;

/* The same for every spelling of a name, and for every link to a file. A file that is not there yet has its folder's
 * numbers, and its name in it. */
typedef struct smoe_system_identity {
    smoe_system_kind kind;
    uint64_t device, number;
    char name[256];
} smoe_system_identity;

/* What stands between the parts of a name. */
bool smoe_system_is_slash(char character);

smoe_system_identity smoe_system_identify(const char *name);
smoe_system_identity smoe_system_identify_stream(FILE *stream); /* kind NOTHING, and numbers 0, for a closed one */
bool smoe_system_is_same(const smoe_system_identity *a, const smoe_system_identity *b);

/* ---- files that are written whole -------------------------------------------------------------------------------- */

/* False, with errno, where this or an earlier write has failed. */
bool smoe_system_flush(FILE *stream);

/* A file that is written beside its target and takes its place once it is whole. The target of a link is replaced, and
 * the link stays; a file that was there gives its permissions, and must allow writing. What is no regular file is
 * written in place. */
typedef struct smoe_system_draft {
    FILE *stream; /* binary */
    char target[SMOE_SYSTEM_NAME_SIZE], name[SMOE_SYSTEM_NAME_SIZE]; /* name empty: in place */
} smoe_system_draft;

/* Both leave errno as the first failure set it. */
bool smoe_system_draft_open(smoe_system_draft *draft, const char *name);
/* False, and the target is as it was, where a write has failed, this one included. keep false: what was written is
 * dropped. */
bool smoe_system_draft_close(smoe_system_draft *draft, bool keep);

#endif
