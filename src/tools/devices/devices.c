/* smoe-devices: every Vulkan device as smoe sees it, the kernels it would choose there, and why a device cannot be
 * used; and devices as files, to see what smoe would choose on those that are elsewhere. */
#include <smoe/capability_file.h>
#include <smoe/device.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "program/options.h"
#include "program/output.h"
#include "program/text.h"

typedef struct options {
    const char *as, *json;
    uint32_t device; /* for --json */
    bool has_device; /* false: the first usable one */
} options;

static const program_option option_rows[] = {
    {"--json", "FILE", "writes a device's capability file; - is the standard output", PROGRAM_TEXT(options, json)},
    {"--device", "NUMBER", "which one, with --json; without it the first that is usable",
     PROGRAM_COUNT(options, device, 0, UINT32_MAX - 1.0)},
    {"--as", "FILE", "lists the device that a capability file describes, wherever it is; - is the standard input",
     PROGRAM_TEXT(options, as)},
};

static const program_desc description = {
    .name = "smoe-devices",
    .about = "Lists every Vulkan device as smoe sees it: driver, limits, capabilities, the driver's quirks, the "
             "kernels that\n"
             "smoe would choose for a few layers (with their tiles: rows x columns x depth), and why a device cannot "
             "be used.\n"
             "Other tools take a device by the number, the uuid or a part of the name that stand here.",
    .usage = {"[--as FILE] [--json FILE [--device NUMBER]]"},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Exit status: 0, where the list is empty too; 1 if devices cannot be listed, --json finds none, or "
               "writing failed; 2 for a\n"
               "wrong command line or capability file, or an output that may not be written.",
};

static void print_log(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    (void)level;
    program_say("smoe-devices", "%s", text);
}

#define NO_DEVICES "no Vulkan devices: a GPU needs its vendor's driver or Mesa's, and Mesa's lavapipe runs on any CPU"

static const smoe_log to_stderr = {print_log, NULL};

static bool list_devices(uint32_t *count, smoe_device_info **infos)
{
    smoe_result result = smoe_device_list(NULL, &to_stderr, count, NULL);
    *infos = NULL;
    if (result == SMOE_SUCCESS) {
        *infos = calloc(*count ? *count : 1, sizeof **infos);
        result = *infos ? smoe_device_list(NULL, &to_stderr, count, *infos) : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (result == SMOE_SUCCESS)
        return true;
    program_say("smoe-devices", "%s", smoe_result_text(result));
    free(*infos);
    *infos = NULL;
    return false;
}

static int write_file(const char *path, const smoe_device_info *info)
{
    static char text[SMOE_CAPABILITY_FILE_MAX_SIZE];
    size_t size = sizeof text;
    program_output output;
    if (smoe_capability_file_text(info, &to_stderr, &size, text) != SMOE_SUCCESS)
        return PROGRAM_FAILED;
    bool good = program_output_open(&output, path);
    if (good) {
        fwrite(text, 1, size, output.stream); /* closing finds what went wrong */
        good = program_output_close(&output, true);
    }
    if (!good)
        program_say("smoe-devices", "%s", output.reason);
    return good ? PROGRAM_OK : PROGRAM_FAILED;
}

/* The one that --json means, or NULL and a line that says why not. */
static const smoe_device_info *chosen(const options *wanted, const smoe_device_info *infos, uint32_t count)
{
    if (wanted->has_device) {
        if (wanted->device < count)
            return &infos[wanted->device];
        program_say("smoe-devices", "--device: %u, there are %u devices, from 0 on", wanted->device, count);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].usable)
            return &infos[i];
    program_say("smoe-devices", "%s", count ? "no usable Vulkan device; --device NUMBER takes any" : NO_DEVICES);
    return NULL;
}

static int run(const options *wanted)
{
    smoe_device_info *infos;
    uint32_t count = 0;
    int status = PROGRAM_OK;
    if (!list_devices(&count, &infos))
        return PROGRAM_FAILED;
    if (wanted->json) {
        const smoe_device_info *info = chosen(wanted, infos, count);
        status = info ? write_file(wanted->json, info) : PROGRAM_FAILED;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            printf("%s%u: ", i ? "\n" : "", i);
            program_print(stdout, infos[i].name);
            printf("\n");
            print_device(&infos[i]);
        }
        if (count == 0)
            printf("%s\n", NO_DEVICES);
    }
    free(infos);
    return status;
}

static bool read_file(const char *path, smoe_device_info *info)
{
    static char text[SMOE_CAPABILITY_FILE_MAX_SIZE + 1]; /* a byte more shows that it is too large */
    if (strcmp(path, "-") != 0)
        return smoe_capability_file_read(path, NULL, &to_stderr, info) == SMOE_SUCCESS;
    const size_t size = fread(text, 1, sizeof text, stdin);
    if (!ferror(stdin))
        return smoe_capability_file_parse(text, size, path, NULL, &to_stderr, info) == SMOE_SUCCESS;
    program_say("smoe-devices", "-: cannot be read");
    return false;
}

static int run_as(const options *wanted)
{
    smoe_device_info info;
    if (!read_file(wanted->as, &info))
        return PROGRAM_REFUSED;
    if (wanted->json)
        return write_file(wanted->json, &info);
    program_print(stdout, wanted->as);
    printf(": ");
    program_print(stdout, info.name);
    printf("\n");
    print_device(&info);
    return PROGRAM_OK;
}

/* Before anything runs: false, after a line that says why, where --json would replace what is not to be lost. */
static bool check_files(const options *wanted)
{
    program_files files = {0};
    if (wanted->as)
        program_files_read(&files, "the file of --as", wanted->as);
    const bool good = program_files_write(&files, "--json", wanted->json, PROGRAM_JSON);
    if (!good)
        program_say("smoe-devices", "%s", files.reason);
    program_files_release(&files);
    return good;
}

int main(int argc, char **argv)
{
    options wanted;
    program_line line;
    program_begin("smoe-devices");
    if (!program_read(&description, argc, argv, &wanted, &line))
        return line.status;
    wanted.has_device = program_given(&line, "--device") != NULL;
    if (wanted.has_device && (!wanted.json || wanted.as)) {
        program_refuse(&description, "--device", NULL, "only with --json, without --as");
        return PROGRAM_REFUSED;
    }
    if (!check_files(&wanted))
        return PROGRAM_REFUSED;
    return program_end("smoe-devices", wanted.as ? run_as(&wanted) : run(&wanted));
}
