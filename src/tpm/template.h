/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates of the keys that an agent makes: the EK of the TCG EK Credential Profile and the AK
 * (tpm-formats §4.1 to §4.3), as the TPMT_PUBLIC that TPM2_CreatePrimary and TPM2_Create take.
 */
#pragma once

#include "tpm/public.h"

typedef struct {
    uint16_t type, name_alg;
    uint32_t attributes;
    Bytes policy;            /* static */
    uint16_t symmetric_bits; /* of AES in CFB mode; 0: no symmetric algorithm */
    uint16_t scheme, scheme_hash;
    uint16_t key_bits; /* RSA modulus or curve size */
    uint16_t curve;
    /* The template's unique field, or each coordinate of it; static. Zeros of the key's length for
     * L-1 and L-2, else empty or a word. It takes part in the derivation: with another one the TPM
     * makes another EK than the one its certificate names. */
    Bytes unique;
} TpmTemplate;

/* EK by the word of `tpm_encryption_alg`: rsa, rsa2048, rsa3072, rsa4096, ecc, ecc256, ecc384,
 * ecc521 and their ecc_nist_p... aliases. False for another word, or one without a template. */
bool tpm_template_ek(const char *encryption_alg, TpmTemplate *out);
/* AK with the type and size of the same word, and `hash` for name and scheme. False when the scheme
 * does not fit the type, or the hash is none that is verified. */
bool tpm_template_ak(const char *encryption_alg, uint16_t hash, uint16_t scheme, TpmTemplate *out);

/* Digests of the EK policies (tpm-formats §4.2): A, PolicySecret over the endorsement hierarchy; C,
 * the policy of an authorised index; B, PolicyOR(A, C). Static; empty for a hash without them. */
typedef enum { TPM_EK_POLICY_A, TPM_EK_POLICY_B, TPM_EK_POLICY_C } TpmEkPolicy;
Bytes tpm_template_ek_policy(TpmEkPolicy policy, uint16_t hash);

/* TPMT_PUBLIC of the template itself. New reference. */
GBytes *tpm_template_to_tpmt(const TpmTemplate *key_template);
/* TPMT_PUBLIC of a key made from the template, with the numbers of `key` (its private part is not
 * looked at). New reference; NULL and TPM_ERROR_UNSUITABLE when the key has another type or size.
 */
GBytes *tpm_template_public(const TpmTemplate *key_template, EVP_PKEY *key, GError **error);
