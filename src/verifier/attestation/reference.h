/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsed attestation keys and lists, and compiled policies, shared by all agents and threads:
 * setting up a key costs more than verifying with it, and thousands of agents have the same policy.
 * What they are made from, or its SHA-256, is the key of the look-up, so nothing here can be out of
 * date. Bounded; the least recently used goes. So does the table of file signatures that verified
 * before.
 */
#pragma once

#include "evidence/ima/signature_cache.h"
#include "policy/boot_policy.h"
#include "policy/runtime_policy.h"
#include "policy/tpm_policy.h"
#include "tpm/public.h"

/* About 8 KiB each with its OpenSSL key. */
#define REFERENCES_MAX_KEYS 1024
#define REFERENCES_MAX_POLICIES 1024
#define REFERENCES_MAX_WORDS 256
/* Memory of compiled runtime policies in bytes: about 100,000 digests take 16 MiB. A single one may
 * be larger. */
#define REFERENCES_MAX_RUNTIME (256 * 1024 * 1024)
/* Bytes of the texts of measured boot policies. */
#define REFERENCES_MAX_BOOT (64 * 1024 * 1024)
/* File signatures, 32 bytes each. */
#define REFERENCES_MAX_SIGNATURES 131072

typedef struct References References;
References *references_new(void);
void references_free(References *references);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(References, references_free)

/* A key in use; it lives as long as somebody holds it. */
typedef struct SharedKey SharedKey;
const TpmPublic *shared_key_public(const SharedKey *key);
void shared_key_unref(SharedKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedKey, shared_key_unref)

/* The texts of a stored list (accept_tpm_*), in use likewise; NULL-terminated. */
typedef struct SharedWords SharedWords;
const char *const *shared_words_texts(const SharedWords *words);
void shared_words_unref(SharedWords *words);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedWords, shared_words_unref)

/* NULL and *error when the bytes are no TPM2B_PUBLIC. */
SharedKey *references_key(References *references, GBytes *tpm2b, GError **error);
/* NULL and *error when the text is no policy. */
TpmPolicy *references_policy(References *references, const char *text, GError **error);
/* Of a JSON array of texts, which enrolment wrote; of anything else, no words. */
SharedWords *references_words(References *references, const char *text);

/* Policies that agents name, by the checksum of their text: a new reference, or NULL when it is not
 * here. */
RuntimePolicy *references_runtime(References *references, const char *checksum);
BootPolicy *references_boot(References *references, const char *checksum);
/* Compiles `text` and keeps it under its checksum. Runtime: NULL and *error when it is no policy.
 */
RuntimePolicy *references_add_runtime(References *references, const char *checksum,
                                      const char *text, GError **error);
BootPolicy *references_add_boot(References *references, const char *checksum, BootRules rules,
                                const char *text);
/* Borrowed; thread-safe. */
ImaSignatureCache *references_signatures(References *references);
