/* Threads; the other parts are system_*.c. */
#include "system.h"

#include "host.h"

#ifdef _WIN32

#include <windows.h>

struct smoe_system_monitor {
    SRWLOCK mutex;
    CONDITION_VARIABLE condition;
};

static bool create(smoe_system_monitor *monitor)
{
    InitializeSRWLock(&monitor->mutex);
    InitializeConditionVariable(&monitor->condition);
    return true;
}

static void destroy(smoe_system_monitor *monitor)
{
    (void)monitor; /* Windows has nothing to give back */
}

void smoe_system_lock(smoe_system_monitor *monitor)
{
    AcquireSRWLockExclusive(&monitor->mutex);
}

void smoe_system_unlock(smoe_system_monitor *monitor)
{
    ReleaseSRWLockExclusive(&monitor->mutex);
}

void smoe_system_wait(smoe_system_monitor *monitor)
{
    SleepConditionVariableSRW(&monitor->condition, &monitor->mutex, INFINITE, 0);
}

void smoe_system_wake_all(smoe_system_monitor *monitor)
{
    WakeAllConditionVariable(&monitor->condition);
}

#else

#include <pthread.h>

struct smoe_system_monitor {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

static bool create(smoe_system_monitor *monitor)
{
    if (pthread_mutex_init(&monitor->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&monitor->condition, NULL) == 0)
        return true;
    pthread_mutex_destroy(&monitor->mutex);
    return false;
}

static void destroy(smoe_system_monitor *monitor)
{
    pthread_cond_destroy(&monitor->condition);
    pthread_mutex_destroy(&monitor->mutex);
}

void smoe_system_lock(smoe_system_monitor *monitor)
{
    pthread_mutex_lock(&monitor->mutex);
}

void smoe_system_unlock(smoe_system_monitor *monitor)
{
    pthread_mutex_unlock(&monitor->mutex);
}

void smoe_system_wait(smoe_system_monitor *monitor)
{
    pthread_cond_wait(&monitor->condition, &monitor->mutex);
}

void smoe_system_wake_all(smoe_system_monitor *monitor)
{
    pthread_cond_broadcast(&monitor->condition);
}

#endif

smoe_system_monitor *smoe_system_monitor_create(const smoe_host *host)
{
    smoe_system_monitor *monitor = smoe_host_alloc(host, 1, sizeof *monitor);
    if (monitor && !create(monitor)) {
        smoe_host_free(host, monitor);
        return NULL;
    }
    return monitor;
}

void smoe_system_monitor_destroy(const smoe_host *host, smoe_system_monitor *monitor)
{
    if (!monitor)
        return;
    destroy(monitor);
    smoe_host_free(host, monitor);
}
