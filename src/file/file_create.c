/* Writes a file as a whole, or leaves none behind. */
#include "file_internal.h"

#include "base/system.h"

/* A file that is new may be removed again. One that was there may be a device or somebody's link: it is only emptied. */
smoe_result smoe_file_create(const smoe_file_host *host, smoe_file_writer write, const void *what)
{
    FILE *stream = smoe_system_file_open(host->path, SMOE_SYSTEM_FILE_CREATE);
    const bool is_new = stream != NULL;
    if (!stream)
        stream = smoe_system_file_open(host->path, SMOE_SYSTEM_FILE_WRITE);
    if (!stream)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "cannot be opened for writing");
    bool ok = write(stream, what);
    ok = fclose(stream) == 0 && ok;
    if (ok)
        return SMOE_SUCCESS;
    if (is_new)
        smoe_system_file_remove(host->path);
    else if ((stream = smoe_system_file_open(host->path, SMOE_SYSTEM_FILE_WRITE)) != NULL)
        fclose(stream);
    return smoe_file_fail(host, SMOE_ERROR_FILE, "cannot be written");
}
