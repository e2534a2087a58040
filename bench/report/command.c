/* The command line of smoe-bench report: documents in, a page out. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "program/options.h"
#include "program/output.h"
#include "report.h"

static const char program_name[] = "smoe-bench";

enum { MOST_DOCUMENTS = 256 };

typedef struct report_options {
    const char *html;
} report_options;

static const program_option option_rows[] = {
    {"--html", "FILE|-", "the page; one file, which loads nothing else", PROGRAM_TEXT(report_options, html)},
};

static const program_desc description = {
    .name = program_name,
    .about = "Shows results documents of smoe-bench --json as one page: rooflines, times by layer and device, what "
             "bounds each "
             "row,\nand how it was measured.",
    .usage = {"report RESULTS.json... --html OUT.html"},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details =
        "Exit status: 0; 1 if the page could not be written; 2 for a wrong command line, a document that cannot be "
        "followed,\nor a page that may not be written.",
    .argument = "RESULTS.json",
    .least_arguments = 1,
    .most_arguments = MOST_DOCUMENTS,
};

/* Whether the page may be written: it is none of the documents, and replaces nothing but a page. */
static bool check_files(const program_line *line, const char *html)
{
    program_files files = {0};
    for (uint32_t i = 0; i < line->argument_count; i++)
        program_files_read(&files, "one of the documents", line->arguments[i]);
    const bool good = program_files_write(&files, "--html", html, PROGRAM_HTML);
    if (!good)
        program_say(program_name, "%s", files.reason);
    program_files_release(&files);
    return good;
}

/* How many were read: fewer than all where one is refused, which is said. */
static uint32_t read_documents(const program_line *line, results_document *documents)
{
    char reason[RESULTS_REASON_SIZE];
    for (uint32_t i = 0; i < line->argument_count; i++)
        if (!results_read(line->arguments[i], &documents[i], reason)) {
            program_say(program_name, "%s", reason);
            return i;
        }
    return line->argument_count;
}

static int write_page(const results_document *documents, uint32_t count, const char *path)
{
    report_view view;
    program_output output;
    if (!report_view_create(documents, count, &view)) {
        program_say(program_name, "no memory for the page");
        return PROGRAM_FAILED;
    }
    bool written = program_output_open(&output, path);
    if (written) {
        report_page page = {output.stream, false};
        report_write_page(&page, &view);
        written = program_output_close(&output, !page.no_memory);
        if (page.no_memory)
            snprintf(output.reason, sizeof output.reason, "no memory for the page");
        written = written && !page.no_memory;
    }
    if (!written)
        program_say(program_name, "%s", output.reason);
    report_view_destroy(&view);
    return written ? PROGRAM_OK : PROGRAM_FAILED;
}

int report_main(int count, char **arguments)
{
    report_options options;
    program_line line;
    int status = PROGRAM_REFUSED;
    memset(&options, 0, sizeof options);
    if (!program_read(&description, count, arguments, &options, &line))
        return line.status;
    if (!options.html) {
        program_refuse(&description, "--html", NULL, "is needed: where the page goes");
        return PROGRAM_REFUSED;
    }
    if (!check_files(&line, options.html))
        return PROGRAM_REFUSED;
    results_document *documents = calloc(line.argument_count, sizeof *documents);
    const uint32_t read = documents ? read_documents(&line, documents) : 0;
    if (!documents)
        program_say(program_name, "no memory for the documents");
    else if (read == line.argument_count)
        status = write_page(documents, read, options.html);
    for (uint32_t i = 0; i < read; i++)
        results_release(&documents[i]);
    free(documents);
    return program_end(program_name, status);
}
