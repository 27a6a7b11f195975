/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do to policies in the database, the same under both versions of the API. Each
 * function is one transaction.
 */
#pragma once

#include "verifier/policies/policy_record.h"

/* Agents that a refusal names (decision D74). */
#define POLICY_USERS_SHOWN 10

typedef enum { POLICY_DONE, POLICY_NOT_FOUND, POLICY_EXISTS, POLICY_IN_USE } PolicyResult;

/* All return false on a database error only; *result tells the rest. */

bool policy_store_create(Database *database, const PolicyRecord *record, PolicyResult *result,
                         GError **error);
/* Agents that name it are judged by the new text from their next attestation on. */
bool policy_store_replace(Database *database, const PolicyRecord *record, PolicyResult *result,
                          GError **error);
/* POLICY_IN_USE: *users, newly allocated, is "agent a", "agents a, b" or "agents a, b and others".
 */
bool policy_store_delete(Database *database, PolicyKind kind, const char *name,
                         PolicyResult *result, char **users, GError **error);

/* *record NULL: there is none. */
bool policy_store_read(Database *database, PolicyKind kind, const char *name, PolicyRecord **record,
                       GError **error);
bool policy_store_names(Database *database, PolicyKind kind, GPtrArray **names, GError **error);
