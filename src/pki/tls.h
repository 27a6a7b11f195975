/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From `tls_dir`, `server_cert`, `trusted_client_ca`, ... to an SSL_CTX
 * (configuration-and-operations §2.3, §10).
 */
#pragma once

#include "config/config.h"
#include "pki/authority.h"

#include <openssl/ssl.h>

/* Paths after resolution; lists are NULL-terminated. */
typedef struct {
    char *directory;
    char *certificate, *key;
    char *key_password; /* NULL = unencrypted */
    char **trusted_ca;  /* empty list: nobody is trusted */
    bool trust_all;     /* `all` */
} TlsFiles;
void tls_files_free(TlsFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsFiles, tls_files_free)

/*
 * Resolve (and with `tls_dir = generate` create) the server files of component "verifier" or
 * "registrar". Names of the certificate: localhost, host name, FQDN, bind address,
 * cert_subject_alternative_names. With `tls_dir = default` files that are not there yet are waited
 * for, up to `wait_seconds`, unless a stop is asked for: a verifier that starts beside makes them.
 */
TlsFiles *tls_server_files(const Config *config, const char *component, unsigned wait_seconds,
                           GError **error);
/* Client files of the tenant or the verifier ("client_cert", "client_key", "trusted_server_ca"). */
TlsFiles *tls_client_files(const Config *config, const char *component, GError **error);

/*
 * For ConfigSchema.check of a server with an HTTPS listener: options that contradict each other,
 * files that are named but cannot be read, and with `tls_dir = generate` what is wrong with
 * ca.conf. Makes nothing. Files of `tls_dir = default` may come later, when the verifier makes
 * them.
 */
void tls_check_server(const Config *config, const char *component, GPtrArray *problems);

/* TLS >= 1.2, client certificate requested but optional, session tickets on. Checks readability,
 * key match, expiry (WARNING 30 days before). New reference. */
SSL_CTX *tls_server_context(const TlsFiles *files, GError **error);
