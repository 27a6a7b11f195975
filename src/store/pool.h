/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded set of connections that threads borrow one at a time. The most recently used one is
 * lent first, so that few stay open and warm under little load.
 */
#pragma once

#include "store/database.h"

typedef struct Pool Pool;

typedef Connection *(*PoolOpen)(Database *database, GError **error);
typedef void (*PoolClose)(Connection *connection);

/* `maximum` >= 1. Opens nothing yet. */
Pool *pool_new(Database *database, unsigned maximum, PoolOpen open_connection,
               PoolClose close_connection);
/* Waits until all are back, and closes them. NULL is fine. */
void pool_free(Pool *pool);

/*
 * Waits for one when `maximum` are lent out; STORE_ERROR_UNAVAILABLE after 30 s (the time upstream
 * waits, configuration-and-operations §9.2).
 */
Connection *pool_take(Pool *pool, GError **error);
void pool_give_back(Pool *pool, Connection *connection);
