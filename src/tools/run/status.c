/* What ends a run, in words and as an exit status. */
#include "run.h"

#include "program/output.h"

int run_status(smoe_result result)
{
    switch (result) {
    case SMOE_SUCCESS: return PROGRAM_OK;
    case SMOE_ERROR_INVALID_ARGUMENT:
    case SMOE_ERROR_FILE: return PROGRAM_REFUSED;
    default: return PROGRAM_FAILED;
    }
}

int run_refuse(const run *r, const char *text)
{
    program_say("smoe-run", "%s: %s", r->source.path, text);
    return PROGRAM_REFUSED;
}
