/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of EK, AK and device identity keys the options choose: the words of the configuration,
 * and the template of each key (tpm-formats §4.1, §4.3, §4.4).
 */
#pragma once

#include "tpm/template.h"

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

TpmTemplate key_template_ek(const KeyTemplate *keys);
TpmTemplate key_template_ak(const KeyTemplate *keys);

/* NV index of the EK certificate of such an EK (tpm-formats §2.4). */
uint32_t key_template_ek_certificate_index(const KeyTemplate *keys);

/* Device identity keys (tpm-formats §4.4). */
typedef enum { DEVICE_KEY_IAK, DEVICE_KEY_IDEVID } DeviceKey;
/* Of an IAK or IDevID. `key` uses type, bits and hash only. */
TpmTemplate key_template_device(DeviceKey which, const KeyTemplate *key);
/*
 * H-1 … H-4; `manual`: the algorithm words; `detect`: the one of H-1 … H-4 that makes a key like
 * `certified`, the key of a device certificate, else (or when that is NULL) the algorithm words.
 * False: *problem says what is allowed.
 */
bool key_template_device_from_words(const char *template_name, const char *asymmetric,
                                    const char *name_hash, EVP_PKEY *certified, KeyTemplate *out,
                                    const char **problem);
