/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM2B_PUBLIC / TPMT_PUBLIC: strict reading, Name, and the OpenSSL key (tpm-formats §3; TPM 2.0
 * Library Part 2, 12.2.4 and 12.2.5).
 */
#pragma once

#include "tpm/algorithm.h"

#define TPM_NAME_MAX (2 + TPM_MAX_DIGEST)

#define TPM_ERROR (tpm_error_quark())
typedef enum {
    TPM_ERROR_MALFORMED,   /* the bytes are not what they claim to be */
    TPM_ERROR_UNSUPPORTED, /* well-formed, but an algorithm or size we do not accept */
    TPM_ERROR_UNSUITABLE,  /* a good key that must not play this role */
} TpmError;
GQuark tpm_error_quark(void);

typedef struct {
    uint16_t type; /* TPM_ALG_RSA or TPM_ALG_ECC */
    uint16_t name_alg;
    uint32_t attributes;
    GBytes *policy;
    uint16_t symmetric_alg; /* TPM_ALG_NULL or TPM_ALG_AES, ... */
    uint16_t symmetric_bits, symmetric_mode;
    uint16_t scheme, scheme_hash; /* TPM_ALG_NULL when the key leaves it open */
    uint16_t key_bits;            /* RSA modulus or curve size: 256, 384, 521 */
    uint16_t curve;               /* TPM curve id, 0 for RSA */
    GBytes *tpmt;                 /* TPMT_PUBLIC exactly as received */
    uint8_t name[TPM_NAME_MAX];   /* nameAlg and digest of `tpmt` */
    size_t name_size;
    EVP_PKEY *key;
} TpmPublic;

/* Strict per tpm-formats §3.3: consumed whole, known algorithms, sane key. NULL and TPM_ERROR. */
TpmPublic *tpm_public_from_tpm2b(Bytes tpm2b, GError **error);
TpmPublic *tpm_public_from_tpmt(Bytes tpmt, GError **error);
void tpm_public_free(TpmPublic *public);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TpmPublic, tpm_public_free)

static inline Bytes tpm_public_name(const TpmPublic *public)
{
    return bytes_of(public->name, public->name_size);
}

/* Size prefix and TPMT_PUBLIC. New reference. */
GBytes *tpm_public_to_tpm2b(const TpmPublic *public);
/* SubjectPublicKeyInfo as PEM, final newline included; newly allocated. */
char *tpm_public_to_pem(const TpmPublic *public);
/* Lower-case hex SHA-256 of that PEM: the `hash_ek` agent id (tpm-formats §3.4). */
char *tpm_public_hash_ek(const TpmPublic *public);

/*
 * Qualified name: nameAlg and digest of the parent's qualified name and this name (tpm-formats
 * §3.4). `parent` of a primary key is its hierarchy's handle, four bytes big-endian.
 */
#define TPM_ENDORSEMENT_HIERARCHY ((Bytes){(const uint8_t[]){0x40, 0x00, 0x00, 0x0B}, 4})
bool tpm_public_qualified_name(const TpmPublic *public, Bytes parent, uint8_t out[TPM_NAME_MAX],
                               size_t *size);

/* Decision D5: restricted signing key of the TPM that a quote may be believed from. */
bool tpm_public_check_attestation_key(const TpmPublic *public, GError **error);
/* registrar-api §13: restricted decryption key as in the EK templates. */
bool tpm_public_check_endorsement_key(const TpmPublic *public, GError **error);
/* Restricted signing key as in the IAK templates (tpm-formats §4.4): may certify an AK. */
bool tpm_public_check_identity_key(const TpmPublic *public, GError **error);
