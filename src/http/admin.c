/* SPDX-License-Identifier: Apache-2.0 */
#include "http/admin.h"

#include <openssl/x509v3.h>
#include <string.h>

/* First CN as UTF-8, newly allocated; NULL if there is none, or it is empty or hides a NUL. */
static char *common_name(X509 *certificate)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0)
        return NULL;
    unsigned char *text = NULL;
    int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    if (size < 0)
        return NULL;
    char *name = NULL;
    if (size > 0 && !memchr(text, 0, (size_t)size) && g_utf8_validate((char *)text, size, NULL))
        name = g_strndup((const char *)text, (gsize)size);
    OPENSSL_free(text);
    return name;
}

static bool is_listed(const char *name, const char *const *names)
{
    return names && g_strv_contains(names, name);
}

/* NULL = admin. */
static const char *why_not_admin(X509 *certificate, EVP_PKEY *server_key, const char *name,
                                 const AdminRule *rule)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    if (!key)
        return "the key of the client certificate cannot be read";
    if (server_key && EVP_PKEY_eq(key, server_key) == 1)
        return "the server's own certificate is no admin certificate";
    if (!name)
        return "the client certificate has no common name";
    uint32_t flags = X509_get_extension_flags(certificate);
    if (flags & EXFLAG_INVALID)
        return "the client certificate has extensions that cannot be read";
    if (!(flags & EXFLAG_XKUSAGE)) {
        if (is_listed(name, rule->names))
            return NULL;
        return "the client certificate has no extended key usage, and its common name is not in "
               "admin_certificate_names";
    }
    if (!(X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT))
        return "the extended key usage of the client certificate lacks clientAuth";
    if (rule->restrict_names && !is_listed(name, rule->names))
        return "restrict_admin_names is set, and the client certificate's common name is not in "
               "admin_certificate_names";
    return NULL;
}

Identity admin_identity(X509 *certificate, EVP_PKEY *server_key, const AdminRule *rule)
{
    Identity identity = {.kind = IDENTITY_ANONYMOUS};
    if (!certificate)
        return identity;
    g_autofree char *name = common_name(certificate);
    identity.not_admin = why_not_admin(certificate, server_key, name, rule);
    if (!identity.not_admin) {
        identity.kind = IDENTITY_ADMIN;
        identity.name = g_steal_pointer(&name);
    }
    return identity;
}

Identity admin_identity_of_connection(SSL *ssl, const AdminRule *rule)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate && SSL_get_verify_result(ssl) != X509_V_OK) {
        /* Reached only if a context was made that lets unverified certificates through. */
        return (Identity){.kind = IDENTITY_ANONYMOUS,
                          .not_admin = "the client certificate could not be verified"};
    }
    return admin_identity(certificate, SSL_get_privatekey(ssl), rule);
}
