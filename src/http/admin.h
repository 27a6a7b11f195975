/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a client's certificate makes an admin (decision D38). The chain is verified by the TLS
 * handshake before this is asked.
 */
#pragma once

#include "http/message.h"

#include <openssl/ssl.h>

typedef struct {
    const char *const *names; /* CNs that are admin without EKU; NULL = none */
    bool restrict_names;      /* with EKU too */
} AdminRule;

/*
 * Admin = not the server's own key, a CN, and either EKU clientAuth or no EKU and a listed CN.
 * Otherwise anonymous, with `not_admin` set. `certificate` NULL = anonymous without a reason.
 * The caller frees `name`.
 */
Identity admin_identity(X509 *certificate, EVP_PKEY *server_key, const AdminRule *rule);
/* The same for a finished handshake. */
Identity admin_identity_of_connection(SSL *ssl, const AdminRule *rule);
