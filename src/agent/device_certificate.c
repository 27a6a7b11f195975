/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/device_certificate.h"

#include "agent/state_file.h"
#include "tpm/public.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

bool device_certificate_read(const char *path, GBytes **out, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(GBytes) content = state_file_read(path, &reason);
    *out = NULL;
    if (reason) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return false;
    }
    if (!content)
        return true;
    Bytes bytes = bytes_of_gbytes(content);
    const unsigned char *cursor = bytes.data;
    g_autoptr(X509) certificate = d2i_X509(NULL, &cursor, (long)bytes.size);
    if (!certificate) {
        g_autoptr(BIO) bio = BIO_new_mem_buf(bytes.data, (int)bytes.size);
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    unsigned char *der = NULL;
    int size = certificate ? i2d_X509(certificate, &der) : -1;
    ERR_clear_error();
    if (size <= 0) {
        g_set_error(error, STATE_FILE_ERROR, STATE_FILE_ERROR_READ, "%s holds no certificate",
                    path);
        return false;
    }
    *out = g_bytes_new(der, (gsize)size);
    OPENSSL_free(der);
    return true;
}

EVP_PKEY *device_certificate_key(GBytes *certificate)
{
    Bytes bytes = bytes_of_gbytes(certificate);
    const unsigned char *cursor = bytes.data;
    g_autoptr(X509) parsed = d2i_X509(NULL, &cursor, (long)bytes.size);
    EVP_PKEY *key = parsed ? X509_get_pubkey(parsed) : NULL;
    ERR_clear_error();
    return key;
}

bool device_certificate_fits(GBytes *certificate, GBytes *tpm2b)
{
    EVP_PKEY *key = device_certificate_key(certificate);
    g_autoptr(TpmPublic) public = tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), NULL);
    bool fits = key && public && EVP_PKEY_eq(key, public->key) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return fits;
}
