/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys of the software TPM: made, kept as PKCS #8, and signing in the form of
 * TPMT_SIGNATURE.
 */
#pragma once

#include "agent/key_template.h"
#include "tpm/public.h"

/* All return NULL / false and TPM_ERROR on failure. */
EVP_PKEY *software_key_generate(const KeyTemplate *keys, GError **error);
/* PKCS #8 DER; secret. New reference. */
GBytes *software_key_write(EVP_PKEY *key);
/* Refused unless it is a key of this kind. */
EVP_PKEY *software_key_read(const KeyTemplate *keys, Bytes pkcs8, GError **error);
/* RSA: the modulus in *x. ECC: coordinates of full length. New references. */
bool software_key_point(EVP_PKEY *key, const KeyTemplate *keys, GBytes **x, GBytes **y,
                        GError **error);
/* TPMT_SIGNATURE over `message` with the scheme and hash of `keys`. New reference. */
GBytes *software_key_sign(EVP_PKEY *key, const KeyTemplate *keys, Bytes message, GError **error);
