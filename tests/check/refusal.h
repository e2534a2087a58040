/* Calls that must be refused: the error code, an output that is NULL, and a log line that names the argument. */
#ifndef REFUSAL_H
#define REFUSAL_H

#include "common/fixture.h"

/* Fails the test unless `result` is `expected` and, where name is not NULL, a problem that contains name was logged.
 * Clears the log. */
void expect_refusal(test_record *record, smoe_result result, smoe_result expected, const char *name, const char *file,
                    int line);

#define REFUSED_AS(record, expected, name, call) expect_refusal(record, call, expected, name, __FILE__, __LINE__)
#define REFUSED(record, name, call) REFUSED_AS(record, SMOE_ERROR_INVALID_ARGUMENT, name, call)

/* A context with a log of its own, on the smoe_device's Vulkan objects, with nothing enabled. */
smoe_context_desc plain_context_desc(const smoe_device *device, const smoe_log *log);

/* A small layer's plan. */
smoe_plan_desc plain_plan_desc(void);

#endif
