/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small certificate authority in a directory, with upstream's file names
 * (configuration-and-operations §10.4, tenant-and-management-api §12; decision D114).
 */
#pragma once

#include "config/option.h"

#define PKI_ERROR (pki_error_quark())
typedef enum {
    PKI_ERROR_FILE, /* missing, unreadable, unwritable: path in the message */
    PKI_ERROR_MALFORMED,
    PKI_ERROR_MISMATCH, /* key and certificate do not belong together */
    PKI_ERROR_UNTRUSTED,
    PKI_ERROR_OPENSSL,
} PkiError;
GQuark pki_error_quark(void);

typedef enum { PKI_KEY_EC_P256, PKI_KEY_RSA } PkiKeyType;

/* [ca] options (configuration-and-operations §6). */
typedef struct {
    PkiKeyType key_type;
    unsigned rsa_bits;
    const char *country, *ca_name, *state, *locality, *organization, *org_unit;
    unsigned ca_lifetime_days, lifetime_days;
    const char *crl_url;
    const char *password; /* of the keystore `private.yml` */
} AuthoritySettings;

/* Options of ca.conf, section [ca]. */
extern const ConfigSchema authority_schema;

/* The settings of a `[ca]` section (component "ca"); loads ca.conf. Free with g_free; texts live as
 * long as the process. */
AuthoritySettings *authority_settings_load(GError **error);

/* Make the CA if `cacert.crt` is not there; nothing foreign is ever deleted. Directory 0700. */
bool authority_ensure(const char *directory, const AuthoritySettings *settings, GError **error);

typedef enum { PKI_ROLE_SERVER, PKI_ROLE_CLIENT } PkiRole;

/*
 * Make `<name>-cert.crt`, `<name>-private.pem` (0600), `<name>-public.pem` unless a pair is there
 * that fits the CA, has the names asked for, and has more than a third of its life left. `dns` and
 * `ip` are NULL-terminated. `key_password` NULL or empty = unencrypted.
 */
bool authority_ensure_certificate(const char *directory, const AuthoritySettings *settings,
                                  const char *name, PkiRole role, const char *const *dns,
                                  const char *const *ip, const char *key_password, GError **error);

/* --- what an operator asks for (keylime_ca, tenant-and-management-api §10) ------------------ */

/* A new pair, whatever is there: an older one of this name is kept beside as `*.old`. */
bool authority_create_certificate(const char *directory, const AuthoritySettings *settings,
                                  const char *name, PkiRole role, const char *const *dns,
                                  const char *const *ip, GError **error);

/* Takes `<name>-cert.crt` back: `cacrl.der` and `cacrl.pem` name it from now on. */
bool authority_revoke(const char *directory, const AuthoritySettings *settings, const char *name,
                      GError **error);

/* Makes the key store of a CA whose certificate is there, from its unencrypted private key; an
 * older key store is kept beside. Nothing is revoked then. `last_serial`: for upstream's tool,
 * which numbers certificates. */
bool authority_import_key(const char *directory, const AuthoritySettings *settings,
                          const char *key_path, gint64 last_serial, GError **error);
