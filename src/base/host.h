/* What every object of the three libraries carries from the app: its host memory and its log. */
#ifndef SMOE_BASE_HOST_H
#define SMOE_BASE_HOST_H

#include <smoe/smoe.h>

typedef struct smoe_host {
    smoe_allocator allocator;
    smoe_log log;
} smoe_host;

/* malloc and free, and no log: for calls without an object. */
extern const smoe_host smoe_host_silent;

/* Resolves the optional parts of a description. False, and a log line, for an allocator with only one of its
 * callbacks. */
bool smoe_host_init(smoe_host *host, const smoe_allocator *allocator, const smoe_log *log);

/* Zeroed memory for count elements, or NULL (also when count * size overflows). Release with smoe_host_free; NULL is
 * legal. */
void *smoe_host_alloc(const smoe_host *host, size_t count, size_t size);
void smoe_host_free(const smoe_host *host, void *memory);

#if defined(__GNUC__)
#define SMOE_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))
#else
#define SMOE_PRINTF(text, arguments)
#endif

#define SMOE_LINE_SIZE 768 /* of a line in the log, with its end; longer ones are cut */

/* One line to the app's log. Returns `result`, so that a failing path is one statement. */
smoe_result smoe_fail(const smoe_host *host, smoe_result result, const char *format, ...) SMOE_PRINTF(3, 4);

/* VK_SUCCESS: SMOE_SUCCESS. Any other result: the smoe_result for it, after a line with the call and the result. */
smoe_result smoe_vulkan_check(const smoe_host *host, VkResult result, const char *call);

/* One line about something that is no error, at level warning; at level info. */
void smoe_warn(const smoe_host *host, const char *format, ...) SMOE_PRINTF(2, 3);
void smoe_inform(const smoe_host *host, const char *format, ...) SMOE_PRINTF(2, 3);

#endif
