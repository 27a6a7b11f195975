/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run cost: CPU time, memory and disk of a process, and percentiles of latencies.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    double cpu_seconds;              /* all threads, exact */
    double user_ticks, system_ticks; /* seconds, in steps of a clock tick */
    guint64 written_bytes;           /* to the block layer */
    guint64 resident_bytes;
} ProcessUse;

/* False when the process is gone or cannot be read. */
bool process_use(pid_t pid, ProcessUse *out);
/* The most that was resident since this process last called it, counted anew from now on; 0 where
 * the system does not say. */
guint64 own_peak_bytes(void);
/* CPU seconds of this thread. */
double thread_cpu_seconds(void);

/* Values in microseconds, collected by several threads. */
typedef struct Samples Samples;
Samples *samples_new(void);
void samples_free(Samples *samples);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Samples, samples_free)
void samples_add(Samples *samples, gint64 microseconds);
guint samples_count(Samples *samples);
/* 0 <= fraction <= 1; 0 without values. */
gint64 samples_percentile(Samples *samples, double fraction);
