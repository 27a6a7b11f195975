/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char *read_process_file(pid_t pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
    char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

bool process_use(pid_t pid, ProcessUse *out)
{
    g_autofree char *stat = read_process_file(pid, "stat");
    /* The program's name may hold anything; the fields follow its closing parenthesis. */
    const char *fields = stat ? strrchr(stat, ')') : NULL;
    unsigned long user = 0, system = 0;
    if (!fields || sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                          &system) != 2)
        return false;
    out->user_ticks = (double)user / (double)sysconf(_SC_CLK_TCK);
    out->system_ticks = (double)system / (double)sysconf(_SC_CLK_TCK);
    /* The sum to the nanosecond: ticks of 10 ms are too coarse for a short phase. */
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return false;
    out->cpu_seconds = (double)used.tv_sec + (double)used.tv_nsec / 1e9;

    g_autofree char *statm = read_process_file(pid, "statm");
    unsigned long resident = 0;
    if (!statm || sscanf(statm, "%*u %lu", &resident) != 1)
        return false;
    out->resident_bytes = (guint64)resident * (guint64)sysconf(_SC_PAGESIZE);

    g_autofree char *io = read_process_file(pid, "io");
    const char *written = io ? strstr(io, "\nwrite_bytes: ") : NULL;
    out->written_bytes =
        written ? g_ascii_strtoull(written + strlen("\nwrite_bytes: "), NULL, 10) : 0;
    return true;
}

guint64 own_peak_bytes(void)
{
    g_autofree char *status = read_process_file(getpid(), "status");
    const char *peak = status ? strstr(status, "\nVmHWM:") : NULL;
    FILE *clear = fopen("/proc/self/clear_refs", "w");
    if (!clear)
        return 0;
    bool cleared = fputs("5", clear) >= 0; /* proc(5): sets the peak to what is resident now */
    cleared = fclose(clear) == 0 && cleared;
    return peak && cleared ? g_ascii_strtoull(peak + strlen("\nVmHWM:"), NULL, 10) * 1024 : 0;
}

double thread_cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct Samples {
    GMutex lock;
    GArray *values; /* gint64 */
    bool sorted;
};

Samples *samples_new(void)
{
    Samples *samples = g_new0(Samples, 1);
    g_mutex_init(&samples->lock);
    samples->values = g_array_new(FALSE, FALSE, sizeof(gint64));
    return samples;
}

void samples_free(Samples *samples)
{
    if (!samples)
        return;
    g_mutex_clear(&samples->lock);
    g_array_unref(samples->values);
    g_free(samples);
}

void samples_add(Samples *samples, gint64 microseconds)
{
    g_mutex_lock(&samples->lock);
    g_array_append_val(samples->values, microseconds);
    samples->sorted = false;
    g_mutex_unlock(&samples->lock);
}

guint samples_count(Samples *samples)
{
    return samples->values->len;
}

static gint compare_values(gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;
    return left < right ? -1 : left > right;
}

gint64 samples_percentile(Samples *samples, double fraction)
{
    if (samples->values->len == 0)
        return 0;
    if (!samples->sorted)
        g_array_sort(samples->values, compare_values);
    samples->sorted = true;
    guint index = (guint)(fraction * (samples->values->len - 1) + 0.5);
    return g_array_index(samples->values, gint64, MIN(index, samples->values->len - 1));
}
