/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as it is posted, checked whole before it is stored (ima §7.2, §12; decisions D45, D46,
 * D61). Pure but for the configured keys, which are read once at start.
 */
#pragma once

#include "config/config.h"
#include "policy/boot_policy.h"
#include "verifier/policies/policy_record.h"

/* What the configuration demands of policies. */
typedef struct PolicyRules PolicyRules;

/* Rules without keys. */
PolicyRules *policy_rules_new(BootRules boot, bool require_signatures);
/* NULL and *error: a key file that cannot be read, or holds no EC public key. */
PolicyRules *policy_rules_load(const Config *config, GError **error);
void policy_rules_free(PolicyRules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PolicyRules, policy_rules_free)

/*
 * The policy of `members`, to be stored under `name`; *out NULL when there is none in them (absent,
 * null, or empty). The error's code is an HTTP status, PolicyUploadError of policy/policy_upload.h.
 */

/* Members runtime_policy (base64) and runtime_policy_key (base64 of a PEM public key). */
bool posted_policy_runtime(const PolicyRules *rules, Json *members, const char *name,
                           PolicyRecord **out, GError **error);
/* Member mb_policy: JSON text, or the object itself. */
bool posted_policy_boot(const PolicyRules *rules, Json *members, const char *name,
                        PolicyRecord **out, GError **error);
