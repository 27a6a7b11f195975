/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys of the software TPM: made, and kept as PKCS #8. */
#pragma once

#include "agent/key_template.h"

/* All return NULL / false and TPM_ERROR on failure. */
EVP_PKEY *software_key_generate(const KeyTemplate *keys, GError **error);
/* PKCS #8 DER; secret. New reference. */
GBytes *software_key_write(EVP_PKEY *key);
/* Refused unless it is a key of this kind. */
EVP_PKEY *software_key_read(const KeyTemplate *keys, Bytes pkcs8, GError **error);
