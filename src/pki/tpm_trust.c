/* SPDX-License-Identifier: Apache-2.0 */
/* The chain from a TPM's certificate to an anchor of the operator (pki/endorsement.h). */
#include "pki/endorsement.h"

#define LOG_NAME "keylime.tpm"
#include "base/log.h"
#include "pki/pem_file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

/* tcg-kp-EKCertificate, and the hardware type of a TPM in a HardwareModuleName. */
#define OID_EK_CERTIFICATE "2.23.133.8.1"
#define OID_TPM_HARDWARE "2.23.133.1.2"
#define OID_HARDWARE_MODULE_NAME "1.3.6.1.5.5.7.8.4"

/* A file that comes or goes changes the directory, which is looked at each time. One that is
 * changed in place does not: the files are looked at this often. */
#define LOOK_SPAN G_TIME_SPAN_SECOND

struct TpmTrust {
    char *directory;
    GMutex lock;
    X509_STORE *store; /* NULL until read */
    unsigned anchors;
    struct timespec changed; /* of the directory when it was read */
    char *files;             /* what it held then: describe_files() */
    gint64 looked;           /* monotonic */
};

TpmTrust *tpm_trust_new(const char *directory)
{
    TpmTrust *trust = g_new0(TpmTrust, 1);
    trust->directory = g_strdup(directory);
    g_mutex_init(&trust->lock);
    return trust;
}

void tpm_trust_free(TpmTrust *trust)
{
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    g_mutex_clear(&trust->lock);
    g_free(trust->files);
    g_free(trust->directory);
    g_free(trust);
}

/* --- reading the directory
 * ------------------------------------------------------------------------ */

static unsigned add_file(X509_STORE *store, const char *path)
{
    g_autoptr(BIO) file = BIO_new_file(path, "r");
    unsigned count = 0;
    X509 *anchor;
    while (file && (anchor = PEM_read_bio_X509(file, NULL, NULL, NULL))) {
        count += X509_STORE_add_cert(store, anchor) == 1;
        X509_free(anchor);
    }
    ERR_clear_error();
    if (count == 0)
        log_warning("%s in the TPM certificate store holds no readable certificate", path);
    return count;
}

/* The paths of the files that count. */
static GPtrArray *list_files(const char *directory)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing))) {
        if (g_str_has_suffix(name, ".pem"))
            g_ptr_array_add(paths, g_build_filename(directory, name, NULL));
    }
    return paths;
}

/* A text that differs when a file is another one, or was written to. */
static char *describe_files(const GPtrArray *paths)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);
        struct stat status = {0};
        bool there = stat(path, &status) == 0;
        g_string_append_printf(text, "%s %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %ld.%09ld\n",
                               path, there, (gint64)status.st_ino, (gint64)status.st_size,
                               (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return g_string_free(text, FALSE);
}

static void read_files(TpmTrust *trust, const GPtrArray *paths)
{
    X509_STORE_free(trust->store);
    trust->store = X509_STORE_new();
    trust->anchors = 0;
    for (guint i = 0; i < paths->len; i++)
        trust->anchors += add_file(trust->store, g_ptr_array_index(paths, i));
}

/* With the lock held: the store is as the files are. */
static void refresh(TpmTrust *trust, struct timespec changed)
{
    gint64 now = g_get_monotonic_time();
    bool same = trust->store && memcmp(&changed, &trust->changed, sizeof changed) == 0;
    if (same && now - trust->looked < LOOK_SPAN)
        return;
    g_autoptr(GPtrArray) paths = list_files(trust->directory);
    g_autofree char *files = describe_files(paths);
    if (!same || strcmp(files, trust->files) != 0)
        read_files(trust, paths);
    g_free(trust->files);
    trust->files = g_steal_pointer(&files);
    trust->changed = changed;
    trust->looked = now;
}

/* The present store, read again after a change. New reference, or NULL when there is no anchor. */
static X509_STORE *current_store(TpmTrust *trust, GError **error)
{
    struct stat status;
    if (stat(trust->directory, &status) != 0) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_UNTRUSTED,
                    "TPM certificate store %s: %s (tpm_cert_store)", trust->directory,
                    g_strerror(errno));
        return NULL;
    }
    g_mutex_lock(&trust->lock);
    refresh(trust, status.st_mtim);
    X509_STORE *store = NULL;
    if (trust->anchors > 0) {
        store = trust->store;
        X509_STORE_up_ref(store);
    }
    g_mutex_unlock(&trust->lock);
    if (!store)
        g_set_error(error, PKI_ERROR, PKI_ERROR_UNTRUSTED,
                    "TPM certificate store %s holds no certificate: put the TPM vendor's CA there "
                    "as a .pem file",
                    trust->directory);
    return store;
}

/* --- the chain
 * ------------------------------------------------------------------------------------ */

/* Dates above the leaf: vendors let intermediates expire while their TPMs live on (decision D20).
 */
static int tolerate_old_issuers(int good, X509_STORE_CTX *context)
{
    int reason = X509_STORE_CTX_get_error(context);
    if (good || X509_STORE_CTX_get_error_depth(context) == 0 ||
        (reason != X509_V_ERR_CERT_HAS_EXPIRED && reason != X509_V_ERR_CERT_NOT_YET_VALID))
        return good;
    char **warning = X509_STORE_CTX_get_app_data(context);
    char name[256] = "";
    X509_NAME_oneline(X509_get_subject_name(X509_STORE_CTX_get_current_cert(context)), name,
                      sizeof name);
    g_free(*warning);
    *warning =
        g_strdup_printf("issuer certificate %s: %s", name, X509_verify_cert_error_string(reason));
    return 1;
}

static char *issuer_name(const EkCertificate *certificate)
{
    char issuer[256] = "";
    X509_NAME_oneline(X509_get_issuer_name(certificate->leaf), issuer, sizeof issuer);
    return g_strdup(issuer);
}

static void set_untrusted(GError **error, const EkCertificate *certificate, const char *reason,
                          const char *store)
{
    g_autofree char *issuer = issuer_name(certificate);
    g_set_error(error, PKI_ERROR, PKI_ERROR_UNTRUSTED,
                "certificate issued by %s: %s (anchors are the .pem files of %s)", issuer, reason,
                store);
}

static bool verify_chain(TpmTrust *trust, const EkCertificate *certificate, char **warning,
                         GError **error)
{
    *warning = NULL;
    X509_STORE *store = current_store(trust, error);
    if (!store) {
        g_autofree char *issuer = issuer_name(certificate);
        g_prefix_error(error, "certificate issued by %s: ", issuer);
        return false;
    }
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, certificate->leaf, certificate->intermediates);
    /* An intermediate in the store is an anchor of its own. */
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_CTX_set_app_data(context, warning);
    X509_STORE_CTX_set_verify_cb(context, tolerate_old_issuers);
    bool good = X509_verify_cert(context) == 1;
    if (!good)
        set_untrusted(error, certificate,
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)),
                      trust->directory);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return good;
}

/* --- what the leaf says that it is
 * ---------------------------------------------------------------- */

static bool is_oid(const ASN1_OBJECT *object, const char *dotted)
{
    char text[80];
    return OBJ_obj2txt(text, sizeof text, object, 1) > 0 && strcmp(text, dotted) == 0;
}

/* No extended key usage, or one that names `dotted`. */
static bool usage_allows(X509 *leaf, const char *dotted)
{
    int present = -1;
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(leaf, NID_ext_key_usage, &present, NULL);
    if (!usages)
        return present == -1;
    bool found = false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
        found = found || is_oid(sk_ASN1_OBJECT_value(usages, i), dotted);
    EXTENDED_KEY_USAGE_free(usages);
    return found;
}

/* HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING } */
static bool is_tpm_module(const ASN1_TYPE *value)
{
    if (value->type != V_ASN1_SEQUENCE)
        return false;
    const uint8_t *at = value->value.sequence->data;
    STACK_OF(ASN1_TYPE) *members = d2i_ASN1_SEQUENCE_ANY(NULL, &at, value->value.sequence->length);
    const ASN1_TYPE *type =
        members && sk_ASN1_TYPE_num(members) > 0 ? sk_ASN1_TYPE_value(members, 0) : NULL;
    bool good = type && type->type == V_ASN1_OBJECT && is_oid(type->value.object, OID_TPM_HARDWARE);
    sk_ASN1_TYPE_pop_free(members, ASN1_TYPE_free);
    return good;
}

static bool names_a_tpm(X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type = 0;
        const OTHERNAME *other = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        found =
            found || (type == GEN_OTHERNAME && is_oid(other->type_id, OID_HARDWARE_MODULE_NAME) &&
                      is_tpm_module(other->value));
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool tpm_trust_verify_ek(TpmTrust *trust, const EkCertificate *certificate, char **warning,
                         GError **error)
{
    if (!verify_chain(trust, certificate, warning, error))
        return false;
    if (usage_allows(certificate->leaf, OID_EK_CERTIFICATE))
        return true;
    set_untrusted(error, certificate, "its extended key usage is not that of an EK certificate",
                  trust->directory);
    return false;
}

bool tpm_trust_verify_device(TpmTrust *trust, const EkCertificate *certificate, char **warning,
                             GError **error)
{
    if (!verify_chain(trust, certificate, warning, error))
        return false;
    if (names_a_tpm(certificate->leaf))
        return true;
    set_untrusted(error, certificate,
                  "its subject alternative name does not say that the key is a TPM's",
                  trust->directory);
    return false;
}

bool ek_certificate_verify(const EkCertificate *certificate, const char *store, char **warning,
                           GError **error)
{
    g_autoptr(TpmTrust) trust = tpm_trust_new(store);
    return tpm_trust_verify_ek(trust, certificate, warning, error);
}
