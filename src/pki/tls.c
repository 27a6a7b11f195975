/* SPDX-License-Identifier: Apache-2.0 */
/* From options to files (configuration-and-operations §2.3, §10.2, §10.4; decisions D30, D100). */
#include "pki/tls.h"

#define LOG_NAME "keylime.web"
#include "base/daemon.h"
#include "base/log.h"
#include "base/secret.h"
#include "config/list.h"
#include "pki/certificate.h"
#include "pki/host_names.h"
#include "pki/pem_file.h"

#include <string.h>

#define SHARED_DIRECTORY "cv_ca"
#define REGISTRAR_DIRECTORY "reg_ca"
#define CA_FILE "cacert.crt"

#define SHARED_WAIT_STEP_US (200 * 1000)

void tls_files_free(TlsFiles *files)
{
    if (!files)
        return;
    g_free(files->directory);
    g_free(files->certificate);
    g_free(files->key);
    secret_free_text(files->key_password);
    g_strfreev(files->trusted_ca);
    g_free(files);
}

/* --- one option at a time
 * ------------------------------------------------------------------------- */

static bool is_word(const char *value, const char *word)
{
    return strcmp(value, word) == 0;
}

static char *below(const char *directory, const char *path)
{
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(directory, path, NULL);
}

static char *shared_file(const char *name)
{
    return g_build_filename(config_work_dir(), SHARED_DIRECTORY, name, NULL);
}

/* Generated files of the verifier are the shared ones. */
static char *directory_of(const char *tls_dir, const char *component)
{
    bool own = is_word(tls_dir, "generate") && is_word(component, "registrar");
    if (is_word(tls_dir, "default") || is_word(tls_dir, "generate"))
        return g_build_filename(config_work_dir(), own ? REGISTRAR_DIRECTORY : SHARED_DIRECTORY,
                                NULL);
    return below(config_work_dir(), tls_dir);
}

/* `server_cert`, `client_key`, ...: `default` is upstream's name in the directory. */
static char *file_of(const Config *config, const char *option, const char *directory,
                     const char *default_name)
{
    const char *value = config_text(config, NULL, option);
    return below(directory, is_word(value, "default") ? default_name : value);
}

static char *password_of(const Config *config, const char *option)
{
    const char *value = config_text(config, NULL, option);
    return *value ? g_strdup(value) : NULL;
}

/* `default`, `all`, a list, or nothing. */
static bool resolve_trust(const Config *config, const char *option, TlsFiles *files, GError **error)
{
    const char *value = config_text(config, NULL, option);
    g_autoptr(GStrvBuilder) paths = g_strv_builder_new();
    files->trust_all = is_word(value, "all");
    if (is_word(value, "default")) {
        g_autofree char *path = shared_file(CA_FILE);
        g_strv_builder_add(paths, path);
    } else if (!files->trust_all) {
        g_autofree char *reason = NULL;
        g_auto(GStrv) names = list_parse(bytes_of_text(value), &reason);
        if (!names) {
            g_set_error(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                        "%s: %s = %s: must be default, all or a list of files: %s",
                        config_source(config, NULL, option), option, value, reason);
            return false;
        }
        for (guint i = 0; names[i]; i++) {
            g_autofree char *path = below(files->directory, names[i]);
            g_strv_builder_add(paths, path);
        }
    }
    files->trusted_ca = g_strv_builder_end(paths);
    return true;
}

/* --- tls_dir = generate
 * --------------------------------------------------------------------------- */

/* With `generate` every file has its default name: upstream's rule, checked before anything is
 * made. */
static GPtrArray *not_default(const Config *config, const char *component)
{
    static const char *const server_options[] = {"server_cert", "server_key", "trusted_client_ca",
                                                 NULL};
    static const char *const client_options[] = {"client_cert", "client_key", "trusted_server_ca",
                                                 NULL};
    GPtrArray *wrong = g_ptr_array_new();
    for (guint list = 0; list < 2; list++) {
        if (list == 1 && !is_word(component, "verifier"))
            break;
        const char *const *options = list == 0 ? server_options : client_options;
        for (guint i = 0; options[i]; i++) {
            if (!is_word(config_text(config, NULL, options[i]), "default"))
                g_ptr_array_add(wrong, (gpointer)options[i]);
        }
    }
    return wrong;
}

#define GENERATE_RULE "To use tls_dir=generate, the following options must be set to 'default': "

static bool check_all_default(const Config *config, const char *component, GError **error)
{
    g_autoptr(GPtrArray) wrong = not_default(config, component);
    if (wrong->len == 0)
        return true;
    g_ptr_array_add(wrong, NULL);
    g_autofree char *names = g_strjoinv(", ", (char **)wrong->pdata);
    g_set_error(error, PKI_ERROR, PKI_ERROR_MISMATCH, GENERATE_RULE "%s", names);
    return false;
}

static bool ensure_client(const Config *config, const char *component, const char *directory,
                          const AuthoritySettings *settings, GError **error)
{
    static const char *const names[] = {"client", NULL};
    const char *password =
        is_word(component, "verifier") ? config_text(config, NULL, "client_key_password") : NULL;
    return authority_ensure_certificate(directory, settings, "client", PKI_ROLE_CLIENT, names, NULL,
                                        password, error);
}

static bool generate(const Config *config, const char *component, const char *directory,
                     GError **error)
{
    if (!check_all_default(config, component, error))
        return false;
    g_autofree AuthoritySettings *settings = authority_settings_load(error);
    if (!settings)
        return false;
    g_auto(GStrv) dns = NULL, ip = NULL;
    host_names(config_text(config, NULL, "ip"),
               config_text(config, NULL, "cert_subject_alternative_names"), &dns, &ip);
    return authority_ensure(directory, settings, error) &&
           authority_ensure_certificate(directory, settings, "server", PKI_ROLE_SERVER,
                                        (const char *const *)dns, (const char *const *)ip,
                                        config_text(config, NULL, "server_key_password"), error) &&
           ensure_client(config, component, directory, settings, error);
}

/* A registrar with its own CA trusts the verifier's clients if there are any, else its own. */
static void use_own_trust(TlsFiles *files)
{
    if (files->trusted_ca[0] && g_file_test(files->trusted_ca[0], G_FILE_TEST_EXISTS))
        return;
    g_strfreev(files->trusted_ca);
    files->trusted_ca = g_new0(char *, 2);
    files->trusted_ca[0] = g_build_filename(files->directory, CA_FILE, NULL);
}

/* --- waiting for the verifier's directory
 * --------------------------------------------------------- */

static bool all_there(const TlsFiles *files)
{
    bool there = g_file_test(files->certificate, G_FILE_TEST_EXISTS) &&
                 g_file_test(files->key, G_FILE_TEST_EXISTS);
    for (guint i = 0; files->trusted_ca[i]; i++)
        there = there && g_file_test(files->trusted_ca[i], G_FILE_TEST_EXISTS);
    return there;
}

static bool wait_for_shared(const TlsFiles *files, unsigned seconds, GError **error)
{
    if (all_there(files))
        return true;
    if (seconds > 0)
        log_info("Waiting up to %u seconds for the verifier to create the certificates in %s",
                 seconds, files->directory);
    gint64 deadline = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
    while (g_get_monotonic_time() < deadline && !daemon_stop_requested()) {
        g_usleep(SHARED_WAIT_STEP_US);
        if (all_there(files))
            return true;
    }
    if (daemon_stop_requested()) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE,
                    "stopped while waiting for certificates in %s", files->directory);
    } else if (!g_file_test(files->directory, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE,
                    "It appears that the specified tls_dir does not exist: %s (start the verifier "
                    "first, copy its directory, or set tls_dir = generate)",
                    files->directory);
    } else {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE,
                    "tls_dir %s lacks the certificate, the key or the CA (%s, %s)",
                    files->directory, files->certificate, files->key);
    }
    return false;
}

/* --- before anything is opened
 * --------------------------------------------------------------------------- */

static void check_generate(const Config *config, const char *component, GPtrArray *problems)
{
    g_autoptr(GPtrArray) wrong = not_default(config, component);
    for (guint i = 0; i < wrong->len; i++) {
        const char *option = wrong->pdata[i];
        g_autofree char *rule = g_strconcat(GENERATE_RULE, option, NULL);
        config_add_problem(config, problems, NULL, option, rule);
    }
    g_autoptr(GError) error = NULL;
    g_autofree AuthoritySettings *settings = authority_settings_load(&error);
    if (!settings)
        config_add_problems(problems, error);
}

static void check_file(const Config *config, const char *option, const char *path, const char *role,
                       GPtrArray *problems)
{
    g_autoptr(GError) error = NULL;
    if (!pem_file_check_readable(path, role, &error))
        config_add_problem(config, problems, NULL, option, error->message);
}

/* `named`: in a directory of the operator's; else what has its default name may come later. */
static void check_server_files(const Config *config, const TlsFiles *files, bool named,
                               GPtrArray *problems)
{
    if (named || !is_word(config_text(config, NULL, "server_cert"), "default"))
        check_file(config, "server_cert", files->certificate, "server certificate", problems);
    if (named || !is_word(config_text(config, NULL, "server_key"), "default"))
        check_file(config, "server_key", files->key, "server key", problems);
    for (guint i = 0; files->trusted_ca[i]; i++) {
        if (!is_word(config_text(config, NULL, "trusted_client_ca"), "default"))
            check_file(config, "trusted_client_ca", files->trusted_ca[i], "trusted CA certificate",
                       problems);
    }
}

void tls_check_server(const Config *config, const char *component, GPtrArray *problems)
{
    const char *tls_dir = config_text(config, NULL, "tls_dir");
    g_autoptr(TlsFiles) files = g_new0(TlsFiles, 1);
    g_autoptr(GError) error = NULL;
    if (*tls_dir == '\0') {
        config_add_problem(config, problems, NULL, "tls_dir",
                           "must be default, generate or a directory");
    } else if (is_word(tls_dir, "generate")) {
        check_generate(config, component, problems);
    } else {
        files->directory = directory_of(tls_dir, component);
        files->certificate = file_of(config, "server_cert", files->directory, "server-cert.crt");
        files->key = file_of(config, "server_key", files->directory, "server-private.pem");
        if (resolve_trust(config, "trusted_client_ca", files, &error))
            check_server_files(config, files, !is_word(tls_dir, "default"), problems);
        else
            config_add_problems(problems, error);
    }
}

/* --- the two entrances
 * ---------------------------------------------------------------------------- */

TlsFiles *tls_server_files(const Config *config, const char *component, unsigned wait_seconds,
                           GError **error)
{
    const char *tls_dir = config_text(config, NULL, "tls_dir");
    bool make = is_word(tls_dir, "generate");
    if (*tls_dir == '\0') {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "The 'tls_dir' option is not set for '%s'",
                    component);
        return NULL;
    }
    g_autoptr(TlsFiles) files = g_new0(TlsFiles, 1);
    files->directory = directory_of(tls_dir, component);
    if (make && !generate(config, component, files->directory, error))
        return NULL;
    files->certificate = file_of(config, "server_cert", files->directory, "server-cert.crt");
    files->key = file_of(config, "server_key", files->directory, "server-private.pem");
    files->key_password = password_of(config, "server_key_password");
    if (!resolve_trust(config, "trusted_client_ca", files, error))
        return NULL;
    if (files->trust_all) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_UNTRUSTED,
                            "trusted_client_ca = all would let everybody administer this server: "
                            "must be default or a list of CA files");
        return NULL;
    }
    if (make && is_word(component, "registrar"))
        use_own_trust(files);
    if (!make && is_word(tls_dir, "default") && !wait_for_shared(files, wait_seconds, error))
        return NULL;
    return g_steal_pointer(&files);
}

static bool check_client(const TlsFiles *files, GError **error)
{
    g_autoptr(X509) certificate = pem_file_certificate(files->certificate, error);
    g_autofree char *name = g_strdup_printf("client certificate %s", files->certificate);
    if (!certificate || !certificate_check_role(certificate, PKI_ROLE_CLIENT, name, error))
        return false;
    g_autoptr(EVP_PKEY) key = pem_file_private_key(files->key, files->key_password, error);
    if (!key || EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1)
        return key != NULL;
    g_set_error(error, PKI_ERROR, PKI_ERROR_MISMATCH,
                "client key %s does not belong to client certificate %s: copy both anew",
                files->key, files->certificate);
    return false;
}

TlsFiles *tls_client_files(const Config *config, const char *component, GError **error)
{
    const char *tls_dir = config_text(config, NULL, "tls_dir");
    if (*tls_dir == '\0' || (is_word(tls_dir, "generate") && !is_word(component, "verifier"))) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE,
                    "%s: tls_dir = %s: must be default or a directory",
                    config_source(config, NULL, "tls_dir"), tls_dir);
        return NULL;
    }
    g_autoptr(TlsFiles) files = g_new0(TlsFiles, 1);
    files->directory = directory_of(tls_dir, component);
    files->certificate = file_of(config, "client_cert", files->directory, "client-cert.crt");
    files->key = file_of(config, "client_key", files->directory, "client-private.pem");
    files->key_password = password_of(config, "client_key_password");
    if (!resolve_trust(config, "trusted_server_ca", files, error) ||
        !pem_file_check_readable(files->certificate, "client certificate", error) ||
        !pem_file_check_readable(files->key, "client key", error) || !check_client(files, error))
        return NULL;
    for (guint i = 0; files->trusted_ca[i]; i++) {
        if (!pem_file_check_readable(files->trusted_ca[i], "CA certificate", error))
            return NULL;
    }
    pem_file_warn_world_readable(files->key);
    return g_steal_pointer(&files);
}
