/* Files that the benchmark writes, all of them whole. */
#include "bench.h"
#include "program/output.h"

bool bench_write_file(const char *path, const void *data, size_t size, const char *end)
{
    program_output output;
    bool written = program_output_open(&output, path);
    if (written) {
        fwrite(data, 1, size, output.stream);
        fputs(end, output.stream);
        written = program_output_close(&output, true);
    }
    if (!written)
        program_say("smoe-bench", "%s", output.reason);
    return written;
}
