/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM texts and the files that hold them: keys, certificates, revocation lists. Every file is
 * replaced whole (temporary file, fsync, rename), so that a reader sees the old one or the new one.
 */
#pragma once

#include "pki/authority.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_CRL, X509_CRL_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)

#define PEM_MODE_SECRET 0600 /* private keys and the key store */
#define PEM_MODE_PUBLIC 0640

/* PKI_ERROR_OPENSSL with the library's reason; clears its error queue. */
void pki_set_openssl_error(GError **error, const char *what);

/* PKI_ERROR_FILE when `path` cannot be read by this process: the message names the path, its owner
 * and mode, and the user that needs it (contract C120). `role` names the file's part: "server key".
 */
bool pem_file_check_readable(const char *path, const char *role, GError **error);

/* One WARNING for a private key that others than its owner and group can read. */
void pem_file_warn_world_readable(const char *key);

/* First certificate, or first private key, of a file. `password` NULL or empty = unencrypted. */
X509 *pem_file_certificate(const char *path, GError **error);
EVP_PKEY *pem_file_private_key(const char *path, const char *password, GError **error);

/* Texts, newly allocated; the private one is a secret (secret_free_text). PKCS #8, encrypted with
 * AES-256-CBC when a password is given. */
char *pem_of_certificate(X509 *certificate);
char *pem_of_public_key(EVP_PKEY *key);
char *pem_of_private_key(EVP_PKEY *key, const char *password);
EVP_PKEY *pem_private_key_from_text(const char *text, GError **error);

/* A file that is replaced keeps its owner. */
bool pem_file_write(const char *path, const char *text, size_t size, int mode, GError **error);
/* Into `new_path`, which the caller renames to `path`, whose owner it has. */
bool pem_file_write_beside(const char *new_path, const char *path, const char *text, size_t size,
                           int mode, GError **error);

/* Keeps a second process out of `directory` until it is closed with close(); -1 and an error.
 * Waits. */
int directory_lock(const char *directory, GError **error);
