/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of notifications, as upstream's receivers verify them: RSASSA-PSS with SHA-256, MGF1
 * with SHA-256 and the longest salt, over the bytes of the message (configuration-and-operations
 * §14.2).
 */
#pragma once

#include "pki/pem_file.h"

/* Checks a key that is to sign: RSA of 2048 to 8192 bits. */
bool notification_key_check(EVP_PKEY *key, GError **error);
/* The key of a PEM text that stems from a request: PKCS #8 or PKCS #1, not encrypted. */
EVP_PKEY *notification_key_parse(const char *pem, GError **error);
/* Base64 text, newly allocated. */
char *notification_sign(EVP_PKEY *key, const char *message, GError **error);
