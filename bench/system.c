/* What the system tells of the machine: Linux, Windows and macOS, each in its own words. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/utsname.h>
#include <unistd.h>
#endif
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

const char *bench_date(char text[BENCH_DATE_SIZE])
{
    const time_t now = time(NULL);
    const struct tm *utc = gmtime(&now);
    if (!utc || strftime(text, BENCH_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", utc) == 0)
        text[0] = '\0';
    return text;
}

#ifdef _WIN32

double bench_physical_memory(void)
{
    MEMORYSTATUSEX status = {.dwLength = sizeof status};
    return GlobalMemoryStatusEx(&status) ? (double)status.ullTotalPhys : 0;
}

#define WINDOWS_KEY "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
#define CPU_KEY "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0"

static void read_key(const char *key, const char *name, char *text, DWORD size)
{
    if (RegGetValueA(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ, NULL, text, &size) != ERROR_SUCCESS)
        text[0] = '\0';
}

static void describe(bench_system *out)
{
    SYSTEM_INFO info;
    char build[32];
    GetSystemInfo(&info);
    out->cpu_count = info.dwNumberOfProcessors;
    read_key(CPU_KEY, "ProcessorNameString", out->cpu, sizeof out->cpu);
    read_key(WINDOWS_KEY, "CurrentBuildNumber", build, sizeof build);
    snprintf(out->os, sizeof out->os, "Windows%s%s", build[0] ? " build " : "", build);
}

double bench_device_clock(const smoe_device_info *info)
{
    (void)info;
    return 0;
}

#else

double bench_physical_memory(void)
{
#ifdef _SC_PHYS_PAGES
    const long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_size > 0 ? (double)pages * (double)page_size : 0;
#else
    return 0;
#endif
}

/* What stands behind "KEY : " in the first line of a file that begins so; false where none does. */
static bool read_line(const char *path, const char *key, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    char line[512];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *value = line + strlen(key);
            value += strspn(value, " \t:");
            snprintf(text, size, "%.*s", (int)strcspn(value, "\n"), value);
            found = true;
        }
    if (file)
        fclose(file);
    return found;
}

static void describe(bench_system *out)
{
    struct utsname names; /* without nodename, which is the host's */
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    out->cpu_count = count > 0 ? (uint32_t)count : 0;
    if (uname(&names) == 0)
        snprintf(out->os, sizeof out->os, "%.40s %.60s %.20s", names.sysname, names.release, names.machine);
#ifdef __APPLE__
    size_t size = sizeof out->cpu;
    if (sysctlbyname("machdep.cpu.brand_string", out->cpu, &size, NULL, 0) != 0)
        out->cpu[0] = '\0';
#else
    if (!read_line("/proc/cpuinfo", "model name", out->cpu, sizeof out->cpu))
        read_line("/proc/cpuinfo", "Model", out->cpu, sizeof out->cpu);
#endif
}

static double read_number(const char *path)
{
    char text[64];
    return read_line(path, "", text, sizeof text) ? strtod(text, NULL) : 0;
}

static double cpu_clock(void)
{
    char text[64];
    const double kilohertz = read_number("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
    if (kilohertz > 0)
        return kilohertz * 1e3;
    return read_line("/proc/cpuinfo", "cpu MHz", text, sizeof text) ? strtod(text, NULL) * 1e6 : 0;
}

static uint32_t read_id(const char *folder, const char *name)
{
    char path[128], text[64];
    snprintf(path, sizeof path, "%s/device/%s", folder, name);
    return read_line(path, "", text, sizeof text) ? (uint32_t)strtoul(text, NULL, 16) : 0;
}

/* amdgpu tells Hz among its sensors, i915 and xe tell MHz. Other drivers tell nothing here. */
static double card_clock(const char *folder)
{
    static const char *const files[] = {"gt_act_freq_mhz", "device/tile0/gt0/freq0/act_freq"};
    char path[160];
    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "%s/device/hwmon/hwmon%d/freq1_input", folder, i);
        const double hertz = read_number(path);
        if (hertz > 0)
            return hertz;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        const double megahertz = read_number(path);
        if (megahertz > 0)
            return megahertz * 1e6;
    }
    return 0;
}

double bench_device_clock(const smoe_device_info *info)
{
    char folder[64];
    if (info->type == VK_PHYSICAL_DEVICE_TYPE_CPU)
        return cpu_clock();
    for (int i = 0; i < 16; i++) {
        snprintf(folder, sizeof folder, "/sys/class/drm/card%d", i);
        if (read_id(folder, "vendor") == info->vendor_id && read_id(folder, "device") == info->device_id)
            return card_clock(folder);
    }
    return 0;
}

#endif

void bench_describe_system(bench_system *out)
{
    memset(out, 0, sizeof *out);
    describe(out);
    out->memory = bench_physical_memory();
}
