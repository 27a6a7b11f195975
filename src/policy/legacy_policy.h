/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of earlier forms, made into runtime policies (ima §7.4): allow lists, flat or JSON,
 * exclude lists, stored rows of older databases. The results are documents to print or to store;
 * they may still break a rule of runtime_policy.h, which is for it to say.
 *
 * `timestamp` goes into meta.timestamp as it is; upstream writes local time, "YYYY-MM-DD
 * HH:MM:SS.ffffff".
 */
#pragma once

#include "base/json.h"
#include "policy/ima_keyring.h"

#define LEGACY_POLICY_ERROR (legacy_policy_error_quark())
typedef enum {
    LEGACY_POLICY_ERROR_FORM, /* none of the known forms */
    LEGACY_POLICY_ERROR_TEXT, /* no UTF-8, or a NUL */
} LegacyPolicyError;
GQuark legacy_policy_error_quark(void);

/* meta.generator */
typedef enum {
    POLICY_GENERATOR_UNKNOWN = 0,
    POLICY_GENERATOR_EMPTY = 1,
    POLICY_GENERATOR_COMPATIBLE = 2,
    POLICY_GENERATOR_LEGACY = 3,
} PolicyGenerator;

/* The policy that allows nothing, members in the usual order. New reference. `timestamp` may be
 * NULL: no such member. */
Json *legacy_policy_empty(PolicyGenerator generator, const char *timestamp);

/*
 * An allow list: lines of digest and path, or a JSON object with `hashes`. Lines without a path are
 * left out; their numbers, from 1, are appended to `skipped` (of guint), which may be NULL. New
 * reference; NULL for a runtime policy, other JSON, or no text.
 */
Json *legacy_policy_from_allowlist(Bytes text, const char *timestamp, GArray *skipped,
                                   GError **error);
/* A row of a database before 6.6: {"allowlist": {...}, "exclude": [...]}. New reference. */
Json *legacy_policy_from_row(Json *row, const char *timestamp, GError **error);

/* A policy of version 0 is rebuilt, any other returned as it is. New reference. */
Json *legacy_policy_upgrade(Json *policy, const char *timestamp, GError **error);
/* Appends the lines of an exclude list to `excludes`; blank lines and those with "#" first are no
 * patterns. */
bool legacy_policy_add_excludes(Json *policy, Bytes text, GError **error);
/* Adds keys to `verification-keys`, also when there are none to add. */
void legacy_policy_add_keys(Json *policy, const ImaKey *const *keys, size_t count);
