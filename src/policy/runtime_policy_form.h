/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a runtime policy, member by member (ima §7.1), as far as JSON alone shows it.
 */
#pragma once

#include "policy/runtime_policy.h"

/* RUNTIME_POLICY_ERROR_FORM; the message begins with the path of the member: "meta.version: ...",
 * "digests./usr/bin/x[2]: ...". Additional members are allowed at every level. */
bool runtime_policy_check_form(Json *policy, const RuntimePolicyRules *rules, GError **error);

/* A digest as policies write it: 40 to 128 lower-case hex digits, perhaps with one newline after
 * them, which Python's "$" lets pass. Its digits; the empty view for anything else. */
Bytes runtime_policy_digest_digits(Json *value);
