/* smoe-bench report RESULTS... --html OUT.html */
#ifndef BENCH_REPORT_COMMAND_H
#define BENCH_REPORT_COMMAND_H

/* arguments[0] stands for the program. Gives the exit status of src/program/options.h. */
int report_main(int count, char **arguments);

#endif
