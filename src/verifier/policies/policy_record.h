/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime and measured boot policies as the database holds them (tables `policies` and
 * `policy_texts`). Agents name the one that judges them, and many may name the same one.
 */
#pragma once

#include "store/database.h"

typedef enum { POLICY_RUNTIME, POLICY_MEASURED_BOOT } PolicyKind;

typedef struct {
    PolicyKind kind;
    char *name;
    char *text;       /* as received, a signed envelope included; NULL = none */
    char *checksum;   /* SHA-256 of the text, hexadecimal */
    gint64 generator; /* meta.generator of a runtime policy, else 0 */
    bool wants_log;   /* its agents must send the log that it judges (decision D50) */
    char *key;        /* PEM of the key that its signature was verified with, or NULL */
} PolicyRecord;

/* Takes `text` over, which may be NULL, and sets its checksum. */
PolicyRecord *policy_record_new(PolicyKind kind, const char *name, char *text);
void policy_record_free(PolicyRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PolicyRecord, policy_record_free)

/* All functions here return false on a database error only. */

/* *out NULL: there is none of that name. */
bool policy_record_load(Connection *connection, PolicyKind kind, const char *name,
                        PolicyRecord **out, GError **error);
/* The one that the agent names at this moment. */
bool policy_record_of_agent(Connection *connection, PolicyKind kind, const char *agent_id,
                            PolicyRecord **out, GError **error);
/* As policy_record_load() without the text; takes the row's lock for the rest of the transaction,
 * so that who is about to name the policy, and who is about to delete it, wait for each other. */
bool policy_record_lock(Connection *connection, PolicyKind kind, const char *name,
                        PolicyRecord **out, GError **error);
/* All names in their order; *out is an array of texts that frees them. */
bool policy_record_names(Connection *connection, PolicyKind kind, GPtrArray **out, GError **error);
/* Ids of agents that name the policy, `except` (NULL = nobody) left out, at most `limit`; *out as
 * above. */
bool policy_record_users(Connection *connection, PolicyKind kind, const char *name,
                         const char *except, gint64 limit, GPtrArray **out, GError **error);

/* *done false: there was one of that name already; nothing is changed. */
bool policy_record_insert(Connection *connection, const PolicyRecord *record, bool *done,
                          GError **error);
/* *done false: there is none of that name. */
bool policy_record_replace(Connection *connection, const PolicyRecord *record, bool *done,
                           GError **error);
bool policy_record_delete(Connection *connection, PolicyKind kind, const char *name,
                          GError **error);
