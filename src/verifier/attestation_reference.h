/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsed attestation keys and TPM policies, shared by all agents and threads: setting up a key
 * costs more than verifying with it, and thousands of agents have the same policy. What they are
 * parsed from is the key of the look-up, so nothing here can be out of date. Bounded; the least
 * recently used goes.
 */
#pragma once

#include "policy/tpm_policy.h"
#include "tpm/public.h"

/* About 8 KiB each with its OpenSSL key. */
#define REFERENCES_MAX_KEYS 1024
#define REFERENCES_MAX_POLICIES 1024

typedef struct References References;
References *references_new(void);
void references_free(References *references);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(References, references_free)

/* A key in use; it lives as long as somebody holds it. */
typedef struct SharedKey SharedKey;
const TpmPublic *shared_key_public(const SharedKey *key);
void shared_key_unref(SharedKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedKey, shared_key_unref)

/* NULL and *error when the bytes are no TPM2B_PUBLIC. */
SharedKey *references_key(References *references, GBytes *tpm2b, GError **error);
/* NULL and *error when the text is no policy. */
TpmPolicy *references_policy(References *references, const char *text, GError **error);
