/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/authority.h"

#define LOG_NAME "keylime.ca-util"
#include "base/log.h"
#include "base/secret.h"
#include "pki/certificate.h"
#include "pki/keystore.h"
#include "pki/pem_file.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0700

/* --- names of the files: upstream's (configuration-and-operations §10.4)
 * -------------------------- */

static char *file_of(const char *directory, const char *name, const char *ending)
{
    g_autofree char *file = g_strconcat(name, ending, NULL);
    return g_build_filename(directory, file, NULL);
}

static bool write_text(const char *directory, const char *name, const char *text, int mode,
                       GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    return pem_file_write(path, text, strlen(text), mode, error);
}

/* --- the authority itself
 * ------------------------------------------------------------------------- */

static const char *keystore_password(const AuthoritySettings *settings)
{
    const char *password =
        settings->password && *settings->password ? settings->password : "default";
    if (strcmp(password, "default") == 0)
        log_warning("Using 'default' password option from CA configuration file");
    return password;
}

static Keystore *open_keystore(const char *directory, const AuthoritySettings *settings,
                               GError **error)
{
    g_autofree char *path = g_build_filename(directory, "private.yml", NULL);
    return keystore_load(path, keystore_password(settings), error);
}

/* The key of an interrupted or partly lost CA, else a new one, safely on disk. */
static Keystore *keystore_for_new_ca(const char *directory, const AuthoritySettings *settings,
                                     GError **error)
{
    g_autofree char *path = g_build_filename(directory, "private.yml", NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return keystore_load(path, keystore_password(settings), error);
    EVP_PKEY *key = certificate_new_key(settings, error);
    if (!key)
        return NULL;
    g_autoptr(Keystore) keystore = keystore_new(key);
    if (!keystore_save(keystore, path, keystore_password(settings), error))
        return NULL;
    return g_steal_pointer(&keystore);
}

static bool write_crl(const char *directory, X509 *ca, const Keystore *keystore, GError **error)
{
    g_autoptr(X509_CRL) crl = certificate_make_crl(ca, keystore->ca_key, keystore->revoked, error);
    if (!crl)
        return false;
    g_autoptr(BIO) pem = BIO_new(BIO_s_mem());
    char *text = NULL;
    PEM_write_bio_X509_CRL(pem, crl);
    long text_size = BIO_get_mem_data(pem, &text);
    unsigned char *der = NULL;
    int der_size = i2d_X509_CRL(crl, &der);
    g_autofree char *der_path = g_build_filename(directory, "cacrl.der", NULL);
    g_autofree char *pem_path = g_build_filename(directory, "cacrl.pem", NULL);
    bool good =
        pem_file_write(der_path, (const char *)der, (size_t)der_size, PEM_MODE_PUBLIC, error) &&
        pem_file_write(pem_path, text, (size_t)text_size, PEM_MODE_PUBLIC, error);
    OPENSSL_free(der);
    return good;
}

/* `cacert.crt` comes last: it says that the CA is complete. */
static bool make_authority(const char *directory, const AuthoritySettings *settings, GError **error)
{
    g_autoptr(Keystore) keystore = keystore_for_new_ca(directory, settings, error);
    g_autoptr(X509) ca = keystore ? certificate_make_ca(settings, keystore->ca_key, error) : NULL;
    if (!ca)
        return false;
    g_autofree char *public_key = pem_of_public_key(keystore->ca_key);
    g_autofree char *certificate = pem_of_certificate(ca);
    if (!write_text(directory, "ca-public.pem", public_key, PEM_MODE_PUBLIC, error) ||
        !write_crl(directory, ca, keystore, error) ||
        !write_text(directory, "cacert.crt", certificate, PEM_MODE_PUBLIC, error))
        return false;
    log_info("CA certificate created successfully in %s", directory);
    return true;
}

bool authority_ensure(const char *directory, const AuthoritySettings *settings, GError **error)
{
    if (g_mkdir_with_parents(directory, DIRECTORY_MODE) != 0) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "cannot create directory %s: %s", directory,
                    g_strerror(errno));
        return false;
    }
    int lock = directory_lock(directory, error);
    if (lock < 0)
        return false;
    g_autofree char *path = g_build_filename(directory, "cacert.crt", NULL);
    bool good = g_file_test(path, G_FILE_TEST_EXISTS) || make_authority(directory, settings, error);
    close(lock);
    return good;
}

/* --- certificates of servers and clients
 * ---------------------------------------------------------- */

typedef struct {
    const char *directory;
    const AuthoritySettings *settings;
    CertificateRequest request;
    const char *key_password;
    char *certificate_path, *key_path;
} Issue;

typedef enum {
    PAIR_GOOD,
    PAIR_ABSENT,
    PAIR_DUE,      /* serves, but should be replaced */
    PAIR_UNUSABLE, /* must be replaced */
} PairState;

/* More than a third of the whole life is left. */
static bool is_young(X509 *certificate)
{
    int whole_days = 0, whole_seconds = 0, left_days = 0, left_seconds = 0;
    const ASN1_TIME *start = X509_get0_notBefore(certificate),
                    *end = X509_get0_notAfter(certificate);
    if (!ASN1_TIME_diff(&whole_days, &whole_seconds, start, end) ||
        !ASN1_TIME_diff(&left_days, &left_seconds, NULL, end))
        return false;
    gint64 whole = (gint64)whole_days * 86400 + whole_seconds;
    gint64 left = (gint64)left_days * 86400 + left_seconds;
    return left > whole / 3;
}

static bool signed_by(X509 *certificate, X509 *ca)
{
    return X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(ca)) == 0 &&
           X509_verify(certificate, X509_get0_pubkey(ca)) == 1;
}

/* *reason says in words why the pair is not good. */
static PairState judge_pair(const Issue *issue, X509 *ca, const char **reason)
{
    if (!g_file_test(issue->certificate_path, G_FILE_TEST_EXISTS) ||
        !g_file_test(issue->key_path, G_FILE_TEST_EXISTS))
        return PAIR_ABSENT;
    g_autoptr(X509) certificate = pem_file_certificate(issue->certificate_path, NULL);
    g_autoptr(EVP_PKEY) key = pem_file_private_key(issue->key_path, issue->key_password, NULL);
    *reason = "it cannot be read (wrong key password?)";
    if (!certificate || !key)
        return PAIR_UNUSABLE;
    *reason = "key and certificate do not belong together";
    if (EVP_PKEY_eq(X509_get0_pubkey(certificate), key) != 1)
        return PAIR_UNUSABLE;
    *reason = "it was not issued by the CA of this directory";
    if (!signed_by(certificate, ca))
        return PAIR_UNUSABLE;
    *reason = "its usages exclude its role";
    if (!certificate_check_role(certificate, issue->request.role, issue->certificate_path, NULL))
        return PAIR_UNUSABLE;
    *reason = "it has expired";
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
        return PAIR_UNUSABLE;
    *reason = "less than a third of its life is left";
    if (!is_young(certificate))
        return PAIR_DUE;
    *reason = "names are missing in it";
    if (!certificate_has_names(certificate, issue->request.dns, issue->request.ip))
        return PAIR_DUE;
    return PAIR_GOOD;
}

/* What we did not make is kept beside, so that a wrong setting never destroys a key. */
static void keep_old(const char *path)
{
    g_autofree char *kept = g_strconcat(path, ".old", NULL);
    if (rename(path, kept) != 0 && errno != ENOENT)
        log_warning("Cannot rename %s: %s", path, g_strerror(errno));
}

/* One file of a pair, first beside its place. */
typedef struct {
    char *path, *new_path, *text;
    int mode;
} PairFile;

static PairFile pair_file(const char *path, char *text, int mode)
{
    return (PairFile){g_strdup(path), g_strconcat(path, ".new", NULL), text, mode};
}

static bool put_in_place(const PairFile *file, GError **error)
{
    if (rename(file->new_path, file->path) == 0)
        return true;
    g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "cannot rename %s: %s", file->new_path,
                g_strerror(errno));
    return false;
}

/* All or nothing: a full disk leaves the pair that was there. */
static bool write_pair(const Issue *issue, EVP_PKEY *key, X509 *certificate, bool keep,
                       GError **error)
{
    g_autofree char *public_path =
        file_of(issue->directory, issue->request.common_name, "-public.pem");
    PairFile files[] = {
        pair_file(issue->key_path, pem_of_private_key(key, issue->key_password), PEM_MODE_SECRET),
        pair_file(public_path, pem_of_public_key(key), PEM_MODE_PUBLIC),
        pair_file(issue->certificate_path, pem_of_certificate(certificate), PEM_MODE_PUBLIC),
    };
    bool good = true;
    for (guint i = 0; i < G_N_ELEMENTS(files); i++)
        good = good && pem_file_write_beside(files[i].new_path, files[i].path, files[i].text,
                                             strlen(files[i].text), files[i].mode, error);
    if (good && keep) {
        keep_old(issue->key_path);
        keep_old(issue->certificate_path);
    }
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        good = good && put_in_place(&files[i], error);
        if (!good)
            unlink(files[i].new_path);
        g_free(files[i].path);
        g_free(files[i].new_path);
        secret_free_text(files[i].text);
    }
    return good;
}

/* The keystore of `ca`. */
static Keystore *matching_keystore(const char *directory, const AuthoritySettings *settings,
                                   X509 *ca, GError **error)
{
    g_autoptr(Keystore) keystore = open_keystore(directory, settings, error);
    if (!keystore || EVP_PKEY_eq(X509_get0_pubkey(ca), keystore->ca_key) == 1)
        return g_steal_pointer(&keystore);
    g_set_error(error, PKI_ERROR, PKI_ERROR_MISMATCH,
                "private.yml and cacert.crt in %s belong to different CAs", directory);
    return NULL;
}

/* Nobody would trust what it signs. */
static bool ca_is_valid(const char *directory, X509 *ca, GError **error)
{
    if (X509_cmp_current_time(X509_get0_notAfter(ca)) > 0)
        return true;
    g_set_error(error, PKI_ERROR, PKI_ERROR_UNTRUSTED,
                "the CA certificate %s/cacert.crt has expired: make a new CA in another directory "
                "(keylime_ca init), and certificates of it",
                directory);
    return false;
}

static bool issue_pair(const Issue *issue, X509 *ca, bool keep, GError **error)
{
    g_autoptr(Keystore) keystore =
        ca_is_valid(issue->directory, ca, error)
            ? matching_keystore(issue->directory, issue->settings, ca, error)
            : NULL;
    if (!keystore)
        return false;
    g_autoptr(EVP_PKEY) key = certificate_new_key(issue->settings, error);
    g_autoptr(X509) certificate =
        key ? certificate_make(issue->settings, &issue->request, key, ca, keystore->ca_key, error)
            : NULL;
    if (!certificate)
        return false;
    if (!write_pair(issue, key, certificate, keep, error))
        return false;
    log_info("Created certificate for name %s successfully in %s", issue->request.common_name,
             issue->directory);
    return true;
}

static X509 *ca_certificate(const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "cacert.crt", NULL);
    return pem_file_certificate(path, error);
}

/* Under the directory's lock: judge what is there, then act. */
static bool ensure_pair(const Issue *issue, GError **error)
{
    g_autoptr(X509) ca = ca_certificate(issue->directory, error);
    if (!ca)
        return false;
    const char *reason = "it is not there";
    PairState state = judge_pair(issue, ca, &reason);
    if (state == PAIR_GOOD)
        return true;
    if (state != PAIR_ABSENT)
        log_warning("Renewing %s: %s", issue->certificate_path, reason);
    g_autoptr(GError) failure = NULL;
    if (issue_pair(issue, ca, state == PAIR_UNUSABLE, &failure))
        return true;
    if (state == PAIR_DUE) {
        log_warning("Keeping %s, it cannot be renewed: %s", issue->certificate_path,
                    failure->message);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* Runs `act` with the directory locked and the paths of the pair. */
static bool with_issue(const char *directory, const AuthoritySettings *settings,
                       const CertificateRequest *request, const char *key_password,
                       bool (*act)(const Issue *issue, GError **error), GError **error)
{
    int lock = directory_lock(directory, error);
    if (lock < 0)
        return false;
    Issue issue = {
        .directory = directory,
        .settings = settings,
        .request = *request,
        .key_password = key_password,
        .certificate_path = file_of(directory, request->common_name, "-cert.crt"),
        .key_path = file_of(directory, request->common_name, "-private.pem"),
    };
    bool good = act(&issue, error);
    g_free(issue.certificate_path);
    g_free(issue.key_path);
    close(lock);
    return good;
}

bool authority_ensure_certificate(const char *directory, const AuthoritySettings *settings,
                                  const char *name, PkiRole role, const char *const *dns,
                                  const char *const *ip, const char *key_password, GError **error)
{
    CertificateRequest request = {.common_name = name, .role = role, .dns = dns, .ip = ip};
    return with_issue(directory, settings, &request, key_password, ensure_pair, error);
}

/* --- the operator's commands
 * ---------------------------------------------------------------------- */

static bool create_pair(const Issue *issue, GError **error)
{
    g_autoptr(X509) ca = ca_certificate(issue->directory, error);
    return ca && issue_pair(issue, ca, true, error);
}

bool authority_create_certificate(const char *directory, const AuthoritySettings *settings,
                                  const char *name, PkiRole role, const char *const *dns,
                                  const char *const *ip, GError **error)
{
    CertificateRequest request = {.common_name = name, .role = role, .dns = dns, .ip = ip};
    return with_issue(directory, settings, &request, NULL, create_pair, error);
}

/* The list is written before the keystore: what a server reads must not lag behind. */
static bool revoke_pair(const Issue *issue, GError **error)
{
    g_autoptr(X509) ca = ca_certificate(issue->directory, error);
    g_autoptr(X509) certificate = ca ? pem_file_certificate(issue->certificate_path, error) : NULL;
    if (!certificate)
        return false;
    if (!signed_by(certificate, ca)) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_MISMATCH,
                    "%s was not issued by the CA of this directory", issue->certificate_path);
        return false;
    }
    g_autoptr(Keystore) keystore = matching_keystore(issue->directory, issue->settings, ca, error);
    if (!keystore)
        return false;
    g_autofree char *serial = certificate_serial(certificate);
    if (!g_ptr_array_find_with_equal_func(keystore->revoked, serial, g_str_equal, NULL))
        g_ptr_array_add(keystore->revoked, g_steal_pointer(&serial));
    g_autofree char *path = g_build_filename(issue->directory, "private.yml", NULL);
    return write_crl(issue->directory, ca, keystore, error) &&
           keystore_save(keystore, path, keystore_password(issue->settings), error);
}

bool authority_revoke(const char *directory, const AuthoritySettings *settings, const char *name,
                      GError **error)
{
    CertificateRequest request = {.common_name = name};
    return with_issue(directory, settings, &request, NULL, revoke_pair, error);
}

static bool import_key(const char *directory, const AuthoritySettings *settings,
                       const char *key_path, gint64 last_serial, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "private.yml", NULL);
    g_autoptr(X509) ca = ca_certificate(directory, error);
    g_autoptr(EVP_PKEY) key = ca ? pem_file_private_key(key_path, NULL, error) : NULL;
    if (!key)
        return false;
    if (EVP_PKEY_eq(X509_get0_pubkey(ca), key) != 1) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_MISMATCH, "%s is not the key of %s/cacert.crt",
                    key_path, directory);
        return false;
    }
    g_autoptr(Keystore) keystore = keystore_new(g_steal_pointer(&key));
    keystore->last_serial = last_serial;
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        keep_old(path);
    return write_crl(directory, ca, keystore, error) &&
           keystore_save(keystore, path, keystore_password(settings), error);
}

bool authority_import_key(const char *directory, const AuthoritySettings *settings,
                          const char *key_path, gint64 last_serial, GError **error)
{
    int lock = directory_lock(directory, error);
    if (lock < 0)
        return false;
    bool good = import_key(directory, settings, key_path, last_serial, error);
    close(lock);
    return good;
}
