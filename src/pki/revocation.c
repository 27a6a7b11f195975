/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/revocation.h"

#define LOG_NAME "keylime.web"
#include "base/log.h"
#include "pki/pem_file.h"

#include <openssl/pem.h>

/* A CA without a list is no reason to refuse what it signed; nor is the age of a list. */
static int tolerate_absent_lists(int good, X509_STORE_CTX *verification)
{
    switch (X509_STORE_CTX_get_error(verification)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        X509_STORE_CTX_set_error(verification, X509_V_OK);
        return 1;
    default:
        return good;
    }
}

static X509_CRL *read_list(const char *path, GError **error)
{
    if (!pem_file_check_readable(path, "revocation list", error))
        return NULL;
    g_autoptr(BIO) file = BIO_new_file(path, "r");
    X509_CRL *list = file ? PEM_read_bio_X509_CRL(file, NULL, NULL, NULL) : NULL;
    if (!list) {
        g_autofree char *what = g_strdup_printf("revocation list %s", path);
        pki_set_openssl_error(error, what);
    }
    return list;
}

char *revocation_list_of(const char *ca_path)
{
    g_autofree char *directory = g_path_get_dirname(ca_path);
    return g_build_filename(directory, "cacrl.pem", NULL);
}

bool revocation_load(SSL_CTX *context, const char *ca_path, GError **error)
{
    g_autofree char *path = revocation_list_of(ca_path);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return true;
    g_autoptr(X509) ca = pem_file_certificate(ca_path, error);
    g_autoptr(X509_CRL) list = ca ? read_list(path, error) : NULL;
    if (!list)
        return false;
    if (X509_CRL_verify(list, X509_get0_pubkey(ca)) != 1) {
        log_warning("Revocation list %s is not of %s: nothing that it names is refused", path,
                    ca_path);
        return true;
    }
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509_STORE_add_crl(store, list);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), tolerate_absent_lists);
    return true;
}
