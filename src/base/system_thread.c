#if defined(__linux__)
#define _GNU_SOURCE /* CPU_COUNT: the processors that the process may use */
#else
#define _POSIX_C_SOURCE 200809L /* sysconf, pthread_sigmask */
#define _DARWIN_C_SOURCE        /* _SC_NPROCESSORS_ONLN */
#endif
#include "system.h"

#ifdef _WIN32

#include <windows.h>

static DWORD WINAPI run_thread(void *user)
{
    const smoe_system_thread *thread = user;
    thread->run(thread->user);
    return 0;
}

bool smoe_system_thread_start(smoe_system_thread *thread, void (*run)(void *user), void *user)
{
    *thread = (smoe_system_thread){.run = run, .user = user};
    HANDLE handle = CreateThread(NULL, 0, run_thread, thread, 0, NULL);
    thread->handle = (uintptr_t)handle;
    return handle != NULL;
}

void smoe_system_thread_join(smoe_system_thread *thread)
{
    HANDLE handle = (HANDLE)thread->handle;
    WaitForSingleObject(handle, INFINITE);
    CloseHandle(handle);
}

uint32_t smoe_system_processor_count(void)
{
    DWORD_PTR own = 0, all = 0; /* a bit for each processor; both 0 for a process in several groups of processors */
    uint32_t count = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &all))
        return 1;
    for (; own != 0; own &= own - 1)
        count++;
    return count > 0 ? count : 1;
}

#else

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

_Static_assert(sizeof(pthread_t) <= sizeof(uintptr_t), "a handle holds it");

static void *run_thread(void *user)
{
    const smoe_system_thread *thread = user;
    thread->run(thread->user);
    return NULL;
}

bool smoe_system_thread_start(smoe_system_thread *thread, void (*run)(void *user), void *user)
{
    pthread_t handle;
    sigset_t all, before;
    *thread = (smoe_system_thread){.run = run, .user = user};
    /* The program's handlers of signals run on the program's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&handle, NULL, run_thread, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        memcpy(&thread->handle, &handle, sizeof handle);
    return started;
}

void smoe_system_thread_join(smoe_system_thread *thread)
{
    pthread_t handle;
    memcpy(&handle, &thread->handle, sizeof handle);
    pthread_join(handle, NULL);
}

uint32_t smoe_system_processor_count(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
#endif
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (uint32_t)count : 1;
}

#endif
