/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a PostgreSQL server, its prepared statements and rows. Private to src/store.
 * Used by one thread at a time (the pool sees to that).
 */
#pragma once

#include "store/driver.h"

/* `url` is borrowed and outlives the connection. STORE_ERROR_UNAVAILABLE when there is no server.
 */
Connection *postgresql_connection_open(const DatabaseUrl *url, GError **error);
void postgresql_connection_close(Connection *connection);
/* Server's version, e.g. "15.3"; newly allocated. */
char *postgresql_connection_version(const Connection *connection);

/* Why the last work failed, and whether it is worth another try from its beginning. */
typedef enum {
    POSTGRESQL_TROUBLE_NONE,
    POSTGRESQL_TROUBLE_CONFLICT, /* serialisation failure or deadlock */
    POSTGRESQL_TROUBLE_LOST,     /* the server went away */
} PostgresqlTrouble;
/* Since the last call of postgresql_connection_ready(). */
PostgresqlTrouble postgresql_connection_trouble(const Connection *connection);

/* Before each work: connects again if the server went away. */
bool postgresql_connection_ready(Connection *connection, GError **error);
bool postgresql_connection_begin(Connection *connection, GError **error);
bool postgresql_connection_commit(Connection *connection, GError **error);
void postgresql_connection_rollback(Connection *connection);

bool postgresql_execute(Connection *connection, const char *sql, GError **error);
bool postgresql_run(Connection *connection, const Statement *statement, guint64 *changed,
                    GError **error);
Rows *postgresql_query(Connection *connection, const Statement *statement, GError **error);
