/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/certificate.h"

#define LOG_NAME "keylime.web"
#include "base/log.h"
#include "base/secret.h"
#include "pki/pem_file.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

/* A peer whose clock is a little behind must accept a fresh certificate. */
#define BACKDATE_SECONDS (5 * 60)
#define DAY_SECONDS (24 * 60 * 60)
#define EXPIRY_WARNING_DAYS 30
/* RFC 5280 §4.1.2.2: positive, at most 20 bytes; random, so that no counter must survive. */
#define SERIAL_SIZE 16

EVP_PKEY *certificate_new_key(const AuthoritySettings *settings, GError **error)
{
    EVP_PKEY *key =
        settings->key_type == PKI_KEY_RSA ? EVP_RSA_gen(settings->rsa_bits) : EVP_EC_gen("P-256");
    if (!key)
        pki_set_openssl_error(error, "cannot make a key");
    return key;
}

static bool add_name(X509_NAME *name, const char *attribute, const char *value)
{
    if (!value || !*value)
        return true;
    /* MBSTRING_UTF8 picks the type by the attribute's rules: PrintableString for C. */
    return X509_NAME_add_entry_by_txt(name, attribute, MBSTRING_UTF8, (const uint8_t *)value, -1,
                                      -1, 0) == 1;
}

static bool set_subject(X509 *certificate, const AuthoritySettings *settings, const char *common)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return add_name(name, "C", settings->country) && add_name(name, "CN", common) &&
           add_name(name, "ST", settings->state) && add_name(name, "L", settings->locality) &&
           add_name(name, "O", settings->organization) && add_name(name, "OU", settings->org_unit);
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    secret_random(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x3F) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return good;
}

static bool set_times(X509 *certificate, unsigned days)
{
    return X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_SECONDS) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, NULL) != NULL;
}

/* An extension from OpenSSL's configuration syntax; only for constant `value`s. */
static bool add_constant(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool push_name(GENERAL_NAMES *names, int type, const void *data, size_t size)
{
    ASN1_STRING *text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING_set(text, data, (int)size);
    GENERAL_NAME_set0_value(name, type, text);
    return sk_GENERAL_NAME_push(names, name) > 0;
}

/* Bytes of an IPv4 or IPv6 literal; 0 when it is none. */
static size_t address_bytes(const char *text, uint8_t out[16])
{
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool add_alternative_names(X509 *certificate, const CertificateRequest *request)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (const char *const *dns = request->dns; dns && *dns; dns++)
        push_name(names, GEN_DNS, *dns, strlen(*dns));
    for (const char *const *ip = request->ip; ip && *ip; ip++) {
        uint8_t bytes[16];
        size_t size = address_bytes(*ip, bytes);
        if (size > 0)
            push_name(names, GEN_IPADD, bytes, size);
    }
    if (sk_GENERAL_NAME_num(names) == 0)
        push_name(names, GEN_DNS, request->common_name, strlen(request->common_name));
    bool good = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return good;
}

/* Built as a structure: the URL is the operator's text and must not be read as syntax. */
static bool add_crl_place(X509 *certificate, const char *url)
{
    if (!url || !*url)
        return true;
    DIST_POINT *point = DIST_POINT_new();
    point->distpoint = DIST_POINT_NAME_new();
    point->distpoint->type = 0; /* fullName */
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    push_name(point->distpoint->name.fullname, GEN_URI, url, strlen(url));
    CRL_DIST_POINTS *points = CRL_DIST_POINTS_new();
    sk_DIST_POINT_push(points, point);
    bool good = X509_add1_ext_i2d(certificate, NID_crl_distribution_points, points, 0, 0) == 1;
    CRL_DIST_POINTS_free(points);
    return good;
}

X509 *certificate_make_ca(const AuthoritySettings *settings, EVP_PKEY *key, GError **error)
{
    g_autoptr(X509) ca = X509_new();
    bool good =
        X509_set_version(ca, X509_VERSION_3) == 1 && set_serial(ca) &&
        set_times(ca, settings->ca_lifetime_days) && set_subject(ca, settings, settings->ca_name) &&
        X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 && X509_set_pubkey(ca, key) == 1 &&
        add_constant(ca, ca, NID_basic_constraints, "critical,CA:TRUE") &&
        add_constant(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_constant(ca, ca, NID_subject_key_identifier, "hash") &&
        add_constant(ca, ca, NID_authority_key_identifier, "keyid:always") &&
        add_crl_place(ca, settings->crl_url) && X509_sign(ca, key, EVP_sha256()) > 0;
    if (!good) {
        pki_set_openssl_error(error, "cannot make the CA certificate (see ca.conf)");
        return NULL;
    }
    return g_steal_pointer(&ca);
}

/* No certificate outlives the one that signed it. */
static bool end_with(X509 *certificate, X509 *ca)
{
    if (ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(ca)) <= 0)
        return true;
    return X509_set1_notAfter(certificate, X509_get0_notAfter(ca)) == 1;
}

X509 *certificate_make(const AuthoritySettings *settings, const CertificateRequest *request,
                       EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, GError **error)
{
    const char *usage = EVP_PKEY_is_a(key, "RSA") ? "critical,digitalSignature,keyEncipherment"
                                                  : "critical,digitalSignature";
    const char *purpose = request->role == PKI_ROLE_SERVER ? "serverAuth" : "clientAuth";
    g_autoptr(X509) made = X509_new();
    bool good = X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
                set_times(made, settings->lifetime_days) && end_with(made, ca) &&
                set_subject(made, settings, request->common_name) &&
                X509_set_issuer_name(made, X509_get_subject_name(ca)) == 1 &&
                X509_set_pubkey(made, key) == 1 &&
                add_constant(made, ca, NID_basic_constraints, "critical,CA:FALSE") &&
                add_constant(made, ca, NID_key_usage, usage) &&
                add_constant(made, ca, NID_ext_key_usage, purpose) &&
                add_constant(made, ca, NID_subject_key_identifier, "hash") &&
                add_constant(made, ca, NID_authority_key_identifier, "keyid:always") &&
                add_alternative_names(made, request) && add_crl_place(made, settings->crl_url) &&
                X509_sign(made, ca_key, EVP_sha256()) > 0;
    if (!good) {
        pki_set_openssl_error(error, "cannot make a certificate (see ca.conf)");
        return NULL;
    }
    return g_steal_pointer(&made);
}

static bool add_revoked(X509_CRL *crl, const char *serial, ASN1_TIME *now)
{
    BIGNUM *number = NULL;
    bool whole = *serial && (size_t)BN_dec2bn(&number, serial) == strlen(serial);
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *value = whole ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    bool good = value && X509_REVOKED_set_serialNumber(entry, value) == 1 &&
                X509_REVOKED_set_revocationDate(entry, now) == 1 &&
                X509_CRL_add0_revoked(crl, entry) == 1;
    if (!good)
        X509_REVOKED_free(entry);
    ASN1_INTEGER_free(value);
    BN_free(number);
    return good;
}

static bool add_all_revoked(X509_CRL *crl, const GPtrArray *revoked, ASN1_TIME *now)
{
    bool good = true;
    for (guint i = 0; good && i < revoked->len; i++)
        good = add_revoked(crl, g_ptr_array_index(revoked, i), now);
    return good && X509_CRL_sort(crl) == 1;
}

char *certificate_serial(X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *digits = BN_bn2dec(number);
    char *text = g_strdup(digits);
    OPENSSL_free(digits);
    BN_free(number);
    return text;
}

static bool add_crl_extensions(X509_CRL *crl, X509 *ca)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, ca, NULL, NULL, crl, 0);
    X509_EXTENSION *key_id =
        X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool good = key_id && X509_CRL_add_ext(crl, key_id, -1) == 1 &&
                ASN1_INTEGER_set_int64(number, g_get_real_time()) &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    X509_EXTENSION_free(key_id);
    return good;
}

X509_CRL *certificate_make_crl(X509 *ca, EVP_PKEY *ca_key, const GPtrArray *revoked, GError **error)
{
    g_autoptr(X509_CRL) crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -BACKDATE_SECONDS);
    bool good = now && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) == 1 &&
                X509_CRL_set1_lastUpdate(crl, now) == 1 &&
                X509_CRL_set1_nextUpdate(crl, X509_get0_notAfter(ca)) == 1 &&
                add_all_revoked(crl, revoked, now) && add_crl_extensions(crl, ca) &&
                X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0;
    ASN1_TIME_free(now);
    if (!good) {
        pki_set_openssl_error(error, "cannot make the revocation list");
        return NULL;
    }
    return g_steal_pointer(&crl);
}

static bool has_name(const GENERAL_NAMES *names, int type, const void *data, size_t size)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int found = 0;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &found);
        if (found == type && (size_t)ASN1_STRING_length(value) == size &&
            memcmp(ASN1_STRING_get0_data(value), data, size) == 0)
            return true;
    }
    return false;
}

bool certificate_has_names(X509 *certificate, const char *const *dns, const char *const *ip)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool all = true;
    for (; all && dns && *dns; dns++)
        all = has_name(names, GEN_DNS, *dns, strlen(*dns));
    for (; all && ip && *ip; ip++) {
        uint8_t bytes[16];
        size_t size = address_bytes(*ip, bytes);
        all = size == 0 || has_name(names, GEN_IPADD, bytes, size);
    }
    GENERAL_NAMES_free(names);
    return all;
}

bool certificate_check_role(X509 *certificate, PkiRole role, const char *what, GError **error)
{
    bool server = role == PKI_ROLE_SERVER;
    int purpose = server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
    if (X509_check_purpose(certificate, purpose, 0) == 1)
        return true;
    uint32_t wanted = server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    bool extended = (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) &&
                    !(X509_get_extended_key_usage(certificate) & wanted);
    g_set_error(error, PKI_ERROR, PKI_ERROR_UNTRUSTED,
                "%s is not for a %s: its %s, so every peer would refuse it", what,
                server ? "server" : "client",
                !extended ? "key usage does not allow it"
                : server  ? "extended key usage lacks serverAuth"
                          : "extended key usage lacks clientAuth");
    return false;
}

static char *end_of(X509 *certificate)
{
    g_autoptr(BIO) memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    ASN1_TIME_print(memory, X509_get0_notAfter(certificate));
    long size = BIO_get_mem_data(memory, &text);
    return g_strndup(text, (gsize)size);
}

void certificate_warn_expiry(X509 *certificate, const char *path)
{
    int days = 0, seconds = 0;
    if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)))
        return;
    g_autofree char *end = end_of(certificate);
    if (days < 0 || seconds < 0)
        log_error(
            "Certificate %s has expired on %s: peers will refuse it; put a new one in its place",
            path, end);
    else if (days < EXPIRY_WARNING_DAYS)
        log_warning("Certificate %s expires on %s (in %d days)", path, end, days);
}
