/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of EK and AK the agent uses, and their public areas as templates (tpm-formats §4.1,
 * §4.3, §4.4; TCG EK Credential Profile 2.3). A template and a created key share one writer, so a
 * software key has exactly the fields of a real one.
 */
#pragma once

#include "tpm/algorithm.h"

typedef struct {
    uint16_t type;   /* TPM_ALG_RSA or TPM_ALG_ECC */
    uint16_t bits;   /* modulus size, or 256, 384, 521 */
    uint16_t scheme; /* of the AK: RSASSA, RSAPSS, ECDSA */
    uint16_t hash;   /* of the AK: nameAlg and scheme hash */
} KeyTemplate;

/*
 * From the words of tpm_encryption_alg (NULL = follows the signing algorithm), tpm_signing_alg and
 * tpm_hash_alg (push-agent §3.4, contract C46). False: *problem is a static sentence of what is
 * allowed.
 */
bool key_template_from_words(const char *encryption, const char *signing, const char *hash,
                             KeyTemplate *out, const char **problem);

/* TCG curve id of a curve's size; 0 for an unknown size. */
uint16_t key_curve(uint16_t bits);

/* TPMT_PUBLIC of the EK. `x` (RSA: the modulus) and `y` empty give the creation template, whose
 * zero bytes are part of the derivation. Caller frees. */
GByteArray *key_template_ek(const KeyTemplate *keys, Bytes x, Bytes y);
/* TPMT_PUBLIC of the AK; empty `x`, `y` for the creation template. */
GByteArray *key_template_ak(const KeyTemplate *keys, Bytes x, Bytes y);

/* NV index of the EK certificate of such an EK (tpm-formats §2.4). */
uint32_t key_template_ek_certificate_index(const KeyTemplate *keys);

/* Device identity keys (tpm-formats §4.4). */
typedef enum { DEVICE_KEY_IAK, DEVICE_KEY_IDEVID } DeviceKey;
/* TPMT_PUBLIC creation template of an IAK or IDevID. `key` uses type, bits and hash only. */
GByteArray *key_template_device(DeviceKey which, const KeyTemplate *key);
/* H-1 … H-4, or the manual algorithm words; false: *problem says what is allowed. */
bool key_template_device_from_words(const char *template_name, const char *asymmetric,
                                    const char *name_hash, KeyTemplate *out, const char **problem);
