/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CA has taken back: `cacrl.pem` beside its certificate, as `keylime_ca -c revoke` writes
 * it.
 */
#pragma once

#include "pki/authority.h"

#include <openssl/ssl.h>

/* The path of the list of a CA whose certificate is at `ca_path`; newly allocated. */
char *revocation_list_of(const char *ca_path);

/*
 * Lets `context` refuse peers whose certificate the list beside `ca_path` names. No list, or one of
 * another CA (a WARNING), changes nothing. Upstream's lists end when they begin: their age says
 * nothing.
 */
bool revocation_load(SSL_CTX *context, const char *ca_path, GError **error);
