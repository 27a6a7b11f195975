/* SPDX-License-Identifier: Apache-2.0 */
/* From files to a server's SSL_CTX (pki/tls.h; configuration-and-operations §10.1, contract C120).
 */
#include "pki/tls.h"

#define LOG_NAME "keylime.web"
#include "base/log.h"
#include "pki/certificate.h"
#include "pki/pem_file.h"
#include "pki/revocation.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

/* Another process may be between the two renames of a renewal. */
#define MISMATCH_ATTEMPTS 20
#define MISMATCH_WAIT_US (50 * 1000)

static bool check_files(const TlsFiles *files, GError **error)
{
    if (!pem_file_check_readable(files->certificate, "server certificate", error) ||
        !pem_file_check_readable(files->key, "server key", error))
        return false;
    for (guint i = 0; files->trusted_ca[i]; i++) {
        if (!pem_file_check_readable(files->trusted_ca[i], "trusted CA certificate", error))
            return false;
    }
    pem_file_warn_world_readable(files->key);
    return true;
}

/* One attempt: PKI_ERROR_MISMATCH when the two files do not fit each other. */
static bool load_pair(SSL_CTX *context, const TlsFiles *files, GError **error)
{
    g_autoptr(EVP_PKEY) key = pem_file_private_key(files->key, files->key_password, error);
    if (!key)
        return false;
    g_autofree char *name = g_strdup_printf("server certificate %s", files->certificate);
    g_autoptr(X509) readable = pem_file_certificate(files->certificate, error);
    if (!readable) {
        g_prefix_error(error, "server certificate ");
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1) {
        pki_set_openssl_error(error, name);
        return false;
    }
    X509 *certificate = SSL_CTX_get0_certificate(context);
    if (!certificate_check_role(certificate, PKI_ROLE_SERVER, name, error))
        return false;
    if (EVP_PKEY_eq(X509_get0_pubkey(certificate), key) != 1) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_MISMATCH,
                    "server key %s does not belong to server certificate %s", files->key,
                    files->certificate);
        return false;
    }
    if (SSL_CTX_use_PrivateKey(context, key) != 1) {
        g_autofree char *what = g_strdup_printf("server key %s", files->key);
        pki_set_openssl_error(error, what);
        return false;
    }
    return true;
}

static bool load_pair_patiently(SSL_CTX *context, const TlsFiles *files, GError **error)
{
    for (unsigned attempt = 1;; attempt++) {
        g_autoptr(GError) reason = NULL;
        if (load_pair(context, files, &reason))
            return true;
        if (!g_error_matches(reason, PKI_ERROR, PKI_ERROR_MISMATCH) ||
            attempt == MISMATCH_ATTEMPTS) {
            g_propagate_error(error, g_steal_pointer(&reason));
            return false;
        }
        g_usleep(MISMATCH_WAIT_US);
    }
}

/* Only the configured CAs; no system store. */
static bool load_trust(SSL_CTX *context, const TlsFiles *files, GError **error)
{
    for (guint i = 0; files->trusted_ca[i]; i++) {
        g_autoptr(X509) ca = pem_file_certificate(files->trusted_ca[i], error);
        if (!ca) {
            g_prefix_error(error, "trusted CA certificate ");
            return false;
        }
        if (SSL_CTX_load_verify_file(context, files->trusted_ca[i]) != 1) {
            g_autofree char *what =
                g_strdup_printf("trusted CA certificate %s", files->trusted_ca[i]);
            pki_set_openssl_error(error, what);
            return false;
        }
        if (!revocation_load(context, files->trusted_ca[i], error))
            return false;
        certificate_warn_expiry(ca, files->trusted_ca[i]);
    }
    if (!files->trusted_ca[0])
        log_warning("trusted_client_ca is empty: nobody can administer this server");
    return true;
}

static void set_rules(SSL_CTX *context)
{
    static const uint8_t session_scope[] = "keylime";
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Peers hold the CA: sending it, and searching for it on each connection, gains nothing. */
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
    /* Requested, optional, and a failed handshake when it does not verify: agents have none. */
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_id_context(context, session_scope, sizeof session_scope - 1);
    /* Tickets carry the state; a cache in memory would only grow. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
}

SSL_CTX *tls_server_context(const TlsFiles *files, GError **error)
{
    if (!check_files(files, error))
        return NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    set_rules(context);
    if (!load_pair_patiently(context, files, error) || !load_trust(context, files, error)) {
        SSL_CTX_free(context);
        return NULL;
    }
    certificate_warn_expiry(SSL_CTX_get0_certificate(context), files->certificate);
    return context;
}
