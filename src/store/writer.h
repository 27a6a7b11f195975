/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit for SQLite: one write after another, and one fsync for all that waited.
 *
 * There is no writer thread. A caller that finds nobody writing leads: it runs its own write at
 * once on the one writing connection, then those that were submitted meanwhile, commits them
 * together, answers all, and hands the lead to the first of those who came during the commit. So a
 * lone write costs no change of threads, and under load one commit carries up to 64 writes.
 */
#pragma once

#include "store/database.h"

typedef struct Writer Writer;

/* Takes over `connection` (of the writing role). */
Writer *writer_new(Connection *connection);
/* Waits for running writes. NULL is fine. */
void writer_free(Writer *writer);
/* database_write() on SQLite. */
bool writer_write(Writer *writer, DatabaseWork work, gpointer data, GError **error);
