/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings the schema up to date, or checks that it is (configuration-and-operations §9.3).
 */
#pragma once

#include "store/database.h"

/*
 * `migrate`: the missing versions are applied, all in one transaction that excludes other
 * processes. STORE_ERROR_SCHEMA when the database is newer than `migrations`, or older and
 * `migrate` is false.
 */
bool migrations_apply(Database *database, const Migration *migrations, bool migrate,
                      GError **error);
