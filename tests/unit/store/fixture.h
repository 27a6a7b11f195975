/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fresh database for each test, on the engine that the program's argument names ("sqlite" or
 * "postgresql"), so that both run the same tests.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/database.h"

typedef struct {
    char *directory;
    char *url; /* of a database without tables */
} Fixture;

/* Starts what the engine needs; exits 77 with the reason where it is not installed. */
void engine_start(int argc, char **argv);
void engine_stop(void);
/* The PostgreSQL server goes away at once, and comes back at the same place. */
void engine_halt(void);
void engine_resume(void);
bool engine_is_postgresql(void);

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The tables of these tests: `items (name PK, number, data, fraction)`, `parts (item -> items)`. */
extern const Migration test_migrations[];
Database *fixture_open(const Fixture *fixture); /* with test_migrations; fails the test */

/* One row; `number` is its value. */
typedef struct {
    const char *name;
    gint64 number;
    bool found;
} Item;
bool item_insert(Connection *connection, gpointer item, GError **error);
bool item_find(Connection *connection, gpointer item, GError **error);
bool item_count(Connection *connection, gpointer gint64_out, GError **error);
bool item_delete_all(Connection *connection, gpointer unused, GError **error);
