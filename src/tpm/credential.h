/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential activation (tpm-formats §6; TPM 2.0 Library Part 1, 24): a secret sealed to an EK that
 * only the TPM that also holds the named object can open.
 */
#pragma once

#include "tpm/public.h"

#define CREDENTIAL_SIZE 32

/* KDFa (SP 800-108) and KDFe (SP 800-56A) as the TPM defines them; `bits` is a multiple of 8. */
bool tpm_kdfa(uint16_t hash, Bytes key, const char *label, Bytes context_u, Bytes context_v,
              unsigned bits, uint8_t *out);
bool tpm_kdfe(uint16_t hash, Bytes z, const char *label, Bytes party_u, Bytes party_v,
              unsigned bits, uint8_t *out);

/*
 * MakeCredential in software: `credential` (at most the EK nameAlg's digest size) for the object
 * `name`, in the blob form of tpm-formats §6.1. New reference, or NULL and TPM_ERROR.
 */
GBytes *credential_make(const TpmPublic *ek, Bytes name, Bytes credential, GError **error);

/* Parts of a blob, every length checked. Views into `blob`. */
bool credential_parse(Bytes blob, Bytes *id_object, Bytes *secret, GError **error);

/*
 * ActivateCredential in software, for software EKs: opens `blob` with the private key.
 * New reference, wiped with the last one; or NULL.
 */
GBytes *credential_open(const TpmPublic *ek, EVP_PKEY *ek_private, Bytes name, Bytes blob,
                        GError **error);

/* Lower-case hex HMAC-SHA-384 of the agent id under the base64 text of the credential
 * (tpm-formats §6.4); newly allocated. */
char *credential_auth_tag(Bytes credential, const char *agent_id);
