/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `private.yml`: the CA's private key under a password, in the format of upstream's `keylime_ca`
 * (tenant-and-management-api §10.2), so that either tool can manage the directory.
 */
#pragma once

#include "pki/authority.h"

#include <openssl/evp.h>

typedef struct {
    EVP_PKEY *ca_key;
    gint64 last_serial; /* upstream numbers certificates; ours are random and leave it alone */
    GPtrArray *revoked; /* decimal serial numbers, char* */
    GHashTable *others; /* name -> GBytes: private keys that other tools put in; kept as they are */
} Keystore;

/* Takes `ca_key` over. */
Keystore *keystore_new(EVP_PKEY *ca_key);
void keystore_free(Keystore *keystore);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keystore, keystore_free)

/* PKI_ERROR_FILE, or PKI_ERROR_MALFORMED for a wrong password, too: the seal does not tell which.
 */
Keystore *keystore_load(const char *path, const char *password, GError **error);
bool keystore_save(const Keystore *keystore, const char *path, const char *password,
                   GError **error);
