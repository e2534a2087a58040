/* Writes a file as a whole, or leaves what was there. */
#include "file_internal.h"

#include "base/system.h"

smoe_result smoe_file_create(const smoe_file_host *host, smoe_file_writer write, const void *what)
{
    smoe_system_draft draft;
    if (!smoe_system_draft_open(&draft, host->path))
        return smoe_file_fail_for_reason(host, "cannot be opened for writing");
    const bool written = write(draft.stream, what);
    if (smoe_system_draft_close(&draft, written) && written)
        return SMOE_SUCCESS;
    return smoe_file_fail_for_reason(host, "cannot be written");
}
