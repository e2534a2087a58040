/* smoe-bench report: bench/README.md, "Report". */
#ifndef BENCH_REPORT_COMMAND_H
#define BENCH_REPORT_COMMAND_H

/* The program: arguments begin with "report". An exit status. */
int report_main(int count, char **arguments);

#endif
