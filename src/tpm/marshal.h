/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers of what a TPM signs and of its signatures, for TPMs in software: the counterparts of
 * tpm/attest.h (tpm-formats §7.1, §7.2, §8.1). Public areas are written by tpm/template.h.
 */
#pragma once

#include "tpm/attest.h"

/* TPMS_ATTEST of a quote or a certification, by `attest->type`. New reference. */
GBytes *tpm_attest_marshal(const TpmAttest *attest);
/* TPMT_SIGNATURE. New reference. */
GBytes *tpm_signature_marshal(const TpmSignature *signature);

/*
 * Signs `message` as a TPM would (RSAPSS with a salt as long as the digest) and writes the
 * TPMT_SIGNATURE. New reference; NULL and TPM_ERROR_UNSUITABLE when the key cannot sign by this
 * scheme and hash.
 */
GBytes *tpm_signature_make(EVP_PKEY *key, uint16_t scheme, uint16_t hash, Bytes message,
                           GError **error);
