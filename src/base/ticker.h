/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that does one thing again and again, at a steady pace, until it is stopped.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Ticker Ticker;

/* Calls work(context) at once and then every `span` microseconds; when a call took longer, the next
 * one follows without a catch-up. `context` must outlive the ticker. */
Ticker *ticker_start(const char *name, gint64 span, void (*work)(gpointer context),
                     gpointer context, GError **error);
/* Waits for a call that runs. NULL is fine. */
void ticker_stop(Ticker *ticker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ticker, ticker_stop)
