/* Why a run is refused. */
#include "analyze.h"

int analyze_refuse(const char *what, const char *rule)
{
    static const program_desc program = {.name = "smoe-analyze"};
    program_refuse(&program, what, NULL, rule);
    return PROGRAM_REFUSED;
}

int analyze_refuse_option(const analyze *a, const char *name, const char *rule)
{
    program_refuse(&a->program, name, program_value(&a->line, name), rule);
    return PROGRAM_REFUSED;
}
