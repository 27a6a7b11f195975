/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.web"
#include "http/client_trust.h"

#include "base/log.h"
#include "base/readable.h"
#include "http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SUBJECTS_SHOWN 3

typedef struct {
    char *path;
    struct stat seen; /* of the file when it was read */
} TrustFile;

struct ClientTrust {
    GArray *files; /* of TrustFile */
    char *paths;   /* joined, for messages */
    GBytes *bundle;
    char *subjects;
};

/* --- texts of certificates ------------------------------------------------------------------- */

static char *text_of_bio(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = g_strndup(data, (gsize)MAX(size, 0));
    BIO_free(bio);
    return g_utf8_validate(text, -1, NULL) ? text : (g_free(text), g_strdup("(unreadable)"));
}

static char *name_text(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, name, 0,
                       (XN_FLAG_RFC2253 | ASN1_STRFLGS_UTF8_CONVERT) &
                           ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    return text_of_bio(bio);
}

static char *time_text(const ASN1_TIME *time)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return g_strdup("(unreadable)");
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return g_strdup(text);
}

static void append_name(GString *out, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const unsigned char *data = ASN1_STRING_get0_data(value);
    int size = ASN1_STRING_length(value);
    char address[INET6_ADDRSTRLEN];
    const char *separator = out->len ? ", " : "";
    if (type == GEN_DNS) {
        g_autofree char *dns = g_strndup((const char *)data, (gsize)size);
        g_autofree char *safe = g_strescape(dns, NULL);
        g_string_append_printf(out, "%sDNS %s", separator, safe);
    } else if (type == GEN_IPADD && (size == 4 || size == 16) &&
               inet_ntop(size == 4 ? AF_INET : AF_INET6, data, address, sizeof address)) {
        g_string_append_printf(out, "%sIP %s", separator, address);
    }
}

static char *alternative_names(X509 *certificate)
{
    GString *out = g_string_new(NULL);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        int type;
        GENERAL_NAME_get0_value(name, &type);
        if (type == GEN_DNS || type == GEN_IPADD)
            append_name(out, name);
    }
    GENERAL_NAMES_free(names);
    return g_string_free(out, FALSE);
}

/* --- the bundle ------------------------------------------------------------------------------ */

/* Subjects of the certificates in a PEM text; NULL when there is none. */
static char *read_subjects(GBytes *bundle)
{
    gsize size;
    const void *data = g_bytes_get_data(bundle, &size);
    if (size == 0 || size > G_MAXINT)
        return NULL;
    BIO *bio = BIO_new_mem_buf(data, (int)size);
    GString *subjects = g_string_new(NULL);
    unsigned count = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (count++ < SUBJECTS_SHOWN) {
            g_autofree char *subject = name_text(X509_get_subject_name(certificate));
            g_string_append_printf(subjects, "%s%s", subjects->len ? "; " : "", subject);
        }
        X509_free(certificate);
    }
    ERR_clear_error(); /* the end of a PEM file is an error to OpenSSL */
    BIO_free(bio);
    if (count > SUBJECTS_SHOWN)
        g_string_append_printf(subjects, "; and %u more", count - SUBJECTS_SHOWN);
    return g_string_free(subjects, count == 0);
}

/* Append one file's text to the bundle. It must hold a certificate of its own. */
static bool load_file(TrustFile *file, GByteArray *bundle, GError **error)
{
    g_autofree char *content = NULL;
    gsize size;
    g_autoptr(GError) reason = NULL;
    struct stat seen = {0};
    g_autofree char *problem = readable_problem(file->path);
    if (problem || stat(file->path, &seen) != 0 ||
        !g_file_get_contents(file->path, &content, &size, &reason)) {
        g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CA_FILE,
                    "cannot read the CA file %s: %s", file->path,
                    problem  ? problem
                    : reason ? reason->message
                             : g_strerror(errno));
        return false;
    }
    g_autoptr(GBytes) text = g_bytes_new(content, size);
    g_autofree char *subjects = read_subjects(text);
    if (!subjects) {
        g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CA_FILE,
                    "the CA file %s holds no PEM certificate", file->path);
        return false;
    }
    file->seen = seen;
    bytes_append(bundle, bytes_of_gbytes(text));
    append_u8(bundle, '\n');
    return true;
}

static bool load(ClientTrust *trust, GError **error)
{
    g_autoptr(GByteArray) bundle = g_byte_array_new();
    for (guint i = 0; i < trust->files->len; i++)
        if (!load_file(&g_array_index(trust->files, TrustFile, i), bundle, error))
            return false;
    g_clear_pointer(&trust->bundle, g_bytes_unref);
    trust->bundle = g_byte_array_free_to_bytes(g_steal_pointer(&bundle));
    g_free(trust->subjects);
    trust->subjects = read_subjects(trust->bundle);
    return true;
}

static void clear_file(gpointer data)
{
    g_free(((TrustFile *)data)->path);
}

ClientTrust *client_trust_new(const char *const *paths, GError **error)
{
    ClientTrust *trust = g_new0(ClientTrust, 1);
    trust->files = g_array_new(FALSE, TRUE, sizeof(TrustFile));
    g_array_set_clear_func(trust->files, clear_file);
    trust->paths = g_strjoinv(", ", (char **)paths);
    for (; *paths; paths++) {
        TrustFile file = {.path = g_strdup(*paths)};
        g_array_append_val(trust->files, file);
    }
    if (!load(trust, error))
        g_clear_pointer(&trust, client_trust_free);
    return trust;
}

void client_trust_free(ClientTrust *trust)
{
    if (!trust)
        return;
    g_array_unref(trust->files);
    g_free(trust->paths);
    g_clear_pointer(&trust->bundle, g_bytes_unref);
    g_free(trust->subjects);
    g_free(trust);
}

/* False also when the file is gone, or out of reach since privileges were dropped. */
static bool file_has_changed(const TrustFile *file, struct stat *now)
{
    const struct stat *seen = &file->seen;
    return stat(file->path, now) == 0 &&
           !(now->st_mtim.tv_sec == seen->st_mtim.tv_sec &&
             now->st_mtim.tv_nsec == seen->st_mtim.tv_nsec && now->st_size == seen->st_size &&
             now->st_ino == seen->st_ino);
}

void client_trust_refresh(ClientTrust *trust)
{
    for (guint i = 0; i < trust->files->len; i++) {
        TrustFile *file = &g_array_index(trust->files, TrustFile, i);
        struct stat now;
        if (!file_has_changed(file, &now))
            continue;
        g_autoptr(GError) error = NULL;
        if (load(trust, &error)) {
            log_info("The CA file %s has changed; using the new one", file->path);
        } else {
            file->seen = now; /* say it once a change */
            log_warning("The CA file %s has changed, but the old one stays in use: %s", file->path,
                        error->message);
        }
    }
}

Bytes client_trust_bundle(const ClientTrust *trust)
{
    return bytes_of_gbytes(trust->bundle);
}

const char *client_trust_paths(const ClientTrust *trust)
{
    return trust->paths;
}

const char *client_trust_subjects(const ClientTrust *trust)
{
    return trust->subjects;
}

/* --- what the server offered ----------------------------------------------------------------- */

void offered_certificate_clear(OfferedCertificate *offered)
{
    g_free(offered->subject);
    g_free(offered->issuer);
    g_free(offered->names);
    g_free(offered->not_before);
    g_free(offered->not_after);
    *offered = (OfferedCertificate){.verify_error = X509_V_OK};
}

static int context_index(void)
{
    static gsize index_plus_one;
    if (g_once_init_enter(&index_plus_one)) {
        int index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
        g_once_init_leave(&index_plus_one, (gsize)index + 1);
    }
    return (int)index_plus_one - 1;
}

static void remember(OfferedCertificate *offered, X509 *certificate)
{
    int error = offered->verify_error;
    offered_certificate_clear(offered);
    offered->verify_error = error;
    offered->subject = name_text(X509_get_subject_name(certificate));
    offered->issuer = name_text(X509_get_issuer_name(certificate));
    offered->names = alternative_names(certificate);
    offered->not_before = time_text(X509_get0_notBefore(certificate));
    offered->not_after = time_text(X509_get0_notAfter(certificate));
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1)
        offered->expires = timegm(&end);
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    OfferedCertificate *offered = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index());
    int error = ok ? X509_V_OK : X509_STORE_CTX_get_error(store);
    if (!ok)
        offered->verify_error = error;
    /* A date belongs to the certificate it is about; any other trouble is shown at the server's
     * own. */
    bool is_date = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
    X509 *certificate =
        is_date ? X509_STORE_CTX_get_current_cert(store) : X509_STORE_CTX_get0_cert(store);
    if (certificate && (!ok || !offered->subject))
        remember(offered, certificate);
    return ok;
}

void offered_certificate_watch(OfferedCertificate *offered, SSL_CTX *context)
{
    SSL_CTX_set_ex_data(context, context_index(), offered);
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), on_verify);
}
