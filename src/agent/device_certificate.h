/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of IAK and IDevID from files, PEM or DER (push-agent §3.3, registrar-api §8.5). */
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

/* DER in *out; NULL there without error when the file does not exist. False: STATE_FILE_ERROR. */
bool device_certificate_read(const char *path, GBytes **out, GError **error);

/* The certificate's key, NULL when OpenSSL cannot read it. Owned by the caller. */
EVP_PKEY *device_certificate_key(GBytes *certificate);
/* Whether the certificate is for the key of this TPM2B_PUBLIC. */
bool device_certificate_fits(GBytes *certificate, GBytes *tpm2b);
