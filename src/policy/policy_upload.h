/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a runtime policy, as somebody hands it in, to be taken (ima §7.2, decision D46)? One order of
 * steps for the verifier's uploads and enrolments and for the tenant before it sends.
 */
#pragma once

#include "policy/runtime_policy.h"

typedef struct {
    bool signature_required; /* option require_allow_list_signatures */
    /* Public keys in PEM. Of the operator (option runtime_policy_keys): when there are any, only
     * these count. Both may be NULL; `trusted` is NULL-terminated. */
    const char *const *trusted_keys;
    /* That came with the policy; NULL or empty for none. */
    const char *request_key;
} PolicyUploadKeys;

/* How a policy's signature stands. */
typedef enum {
    POLICY_SIGNATURE_NONE,       /* not signed */
    POLICY_SIGNATURE_UNVERIFIED, /* signed, and no key to verify it with: to be warned about */
    POLICY_SIGNATURE_VERIFIED,
} PolicySignature;

#define POLICY_UPLOAD_ERROR (policy_upload_error_quark())
typedef enum {
    POLICY_UPLOAD_ERROR_MALFORMED = 400, /* the HTTP status of the answer */
    POLICY_UPLOAD_ERROR_UNSIGNED = 401,
} PolicyUploadError;
GQuark policy_upload_error_quark(void);

/*
 * The compiled policy. The error's code is the HTTP status, its message the `status` text of
 * ima §7.2. `signature` may be NULL.
 */
RuntimePolicy *policy_upload_accept(Bytes text, const PolicyUploadKeys *keys,
                                    const RuntimePolicyRules *rules, PolicySignature *signature,
                                    GError **error);
