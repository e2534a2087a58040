/* smoe-devices: every Vulkan device as smoe sees it, the kernels it would choose there, and why a device cannot be used; and devices as
 * files, to see what smoe would choose on those that are elsewhere. */
#include <smoe/capability_file.h>
#include <smoe/device.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

/* 1: no device, or writing failed. 2: the command line, or the capability file, is wrong. */
#define FAILED 1
#define WRONG 2

static const char usage[] =
    "usage: smoe-devices [--as FILE] [--json FILE [--device NUMBER]] [--help]\n"
    "Lists every Vulkan device as smoe sees it: driver, limits, capabilities, the driver's quirks, the kernels that smoe would choose\n"
    "for a few layers (with their tiles: rows x columns x depth), and why a device cannot be used. Other tools take a device by the\n"
    "number, the uuid or a part of the name that stand here.\n"
    "  --json FILE      writes a device's capability file; - is the standard output\n"
    "  --device NUMBER  which one; without it the first that is usable\n"
    "  --as FILE        lists the device that a capability file describes, wherever it is; - is the standard input\n";

typedef struct options {
    const char *as, *json;
    uint32_t device; /* UINT32_MAX: the first usable one */
} options;

static void print_log(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "smoe-devices: %s\n", text);
}

static const smoe_log to_stderr = {print_log, NULL};

static bool list_devices(uint32_t *count, smoe_device_info **infos)
{
    smoe_result result = smoe_device_list(NULL, &to_stderr, count, NULL);
    *infos = NULL;
    if (result == SMOE_SUCCESS) {
        *infos = calloc(*count ? *count : 1, sizeof **infos);
        result = *infos ? smoe_device_list(NULL, &to_stderr, count, *infos) : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    }
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < *count; i++)
        smoe_device_info_clean(&(*infos)[i]);
    if (result == SMOE_SUCCESS)
        return true;
    fprintf(stderr, "smoe-devices: %s\n", smoe_result_text(result));
    free(*infos);
    *infos = NULL;
    return false;
}

static int write_file(const char *path, const smoe_device_info *info)
{
    static char text[SMOE_CAPABILITY_FILE_MAX_SIZE];
    size_t size = sizeof text;
    if (strcmp(path, "-") != 0)
        return smoe_capability_file_write(path, info, NULL, &to_stderr) == SMOE_SUCCESS ? 0 : FAILED;
    if (smoe_capability_file_text(info, &to_stderr, &size, text) != SMOE_SUCCESS)
        return FAILED;
    if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "smoe-devices: -: cannot be written\n");
    return FAILED;
}

/* The one that --json means, or NULL and a line that says why not. */
static const smoe_device_info *chosen(const options *wanted, const smoe_device_info *infos, uint32_t count)
{
    if (wanted->device != UINT32_MAX) {
        if (wanted->device < count)
            return &infos[wanted->device];
        fprintf(stderr, "smoe-devices: --device: %u, there are %u devices, from 0 on\n", wanted->device, count);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].usable)
            return &infos[i];
    fprintf(stderr, "smoe-devices: no usable Vulkan device; --device NUMBER takes any\n");
    return NULL;
}

static int run(const options *wanted)
{
    smoe_device_info *infos;
    uint32_t count = 0;
    int status = 0;
    if (!list_devices(&count, &infos))
        return FAILED;
    if (wanted->json) {
        const smoe_device_info *info = chosen(wanted, infos, count);
        status = info ? write_file(wanted->json, info) : FAILED;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            printf("%s%u: %s\n", i ? "\n" : "", i, infos[i].name);
            print_device(&infos[i]);
        }
        if (count == 0)
            printf("no Vulkan devices\n");
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
    fprintf(stderr, "smoe-devices: -: cannot be read\n");
    return false;
}

static int run_as(const options *wanted)
{
    smoe_device_info info;
    if (!read_file(wanted->as, &info))
        return WRONG;
    if (wanted->json)
        return write_file(wanted->json, &info);
    printf("%s: %s\n", wanted->as, info.name);
    print_device(&info);
    return 0;
}

static bool parse_number(const char *text, uint32_t *out)
{
    char *end;
    const unsigned long value = strtoul(text, &end, 10);
    *out = (uint32_t)value;
    return *text >= '0' && *text <= '9' && *end == '\0' && value < UINT32_MAX;
}

static int refuse(const char *text, const char *argument)
{
    fprintf(stderr, "smoe-devices: %s%s\n%s", text, argument, usage);
    return WRONG;
}

int main(int argc, char **argv)
{
    options wanted = {.device = UINT32_MAX};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--help")) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(name, "--json") != 0 && strcmp(name, "--as") != 0 && strcmp(name, "--device") != 0)
            return refuse("unknown option ", name);
        if (++i == argc || argv[i][0] == '\0')
            return refuse("a value must follow ", name);
        if (!strcmp(name, "--json"))
            wanted.json = argv[i];
        else if (!strcmp(name, "--as"))
            wanted.as = argv[i];
        else if (!parse_number(argv[i], &wanted.device))
            return refuse("--device: must be a number, is ", argv[i]);
    }
    if (wanted.device != UINT32_MAX && (!wanted.json || wanted.as))
        return refuse("--device: only with --json, without --as", "");
    return wanted.as ? run_as(&wanted) : run(&wanted);
}
