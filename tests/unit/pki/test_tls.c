/* SPDX-License-Identifier: Apache-2.0 */
/* From options to files to a context; names of a host; files that cannot be used. */
#include "fixture.h"
#include "pki/host_names.h"
#include "pki/tls.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(name_, default_)                                                                      \
    {                                                                                              \
        .section = "registrar", .name = name_, .type = OPTION_TEXT, .default_text = default_,      \
        .help = "of the test"                                                                      \
    }

/* What a server has, and what a client has, in one table. */
static const Option options[] = {
    TEXT("ip", "127.0.0.1"),
    TEXT("tls_dir", "default"),
    TEXT("server_key", "default"),
    TEXT("server_key_password", ""),
    TEXT("server_cert", "default"),
    TEXT("cert_subject_alternative_names", ""),
    TEXT("trusted_client_ca", "default"),
    TEXT("client_key", "default"),
    TEXT("client_key_password", ""),
    TEXT("client_cert", "default"),
    TEXT("trusted_server_ca", "default"),
    {NULL},
};
static const ConfigSchema schema = {
    .component = "registrar", .format = CONFIG_INI, .options = options, .program = "test"};

typedef struct {
    char *work;
    char *conf;
} Place;

static int set_up(void **state)
{
    Place *place = g_new0(Place, 1);
    place->work = test_directory();
    place->conf = g_build_filename(place->work, "registrar.conf", NULL);
    g_setenv("KEYLIME_DIR", place->work, TRUE);
    g_setenv("KEYLIME_REGISTRAR_CONFIG", place->conf, TRUE);
    g_autofree char *ca_conf = g_build_filename(place->work, "ca.conf", NULL);
    g_file_set_contents(ca_conf, "[ca]\npassword = test\n", -1, NULL);
    g_setenv("KEYLIME_CA_CONFIG", ca_conf, TRUE);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    Place *place = *state;
    static const char *const below[] = {"cv_ca", "reg_ca", "own"};
    for (guint i = 0; i < G_N_ELEMENTS(below); i++) {
        g_autofree char *directory = g_build_filename(place->work, below[i], NULL);
        test_remove(directory);
    }
    test_remove(place->work);
    g_free(place->work);
    g_free(place->conf);
    g_free(place);
    return 0;
}

static Config *configure(const Place *place, const char *lines)
{
    g_autofree char *text = g_strconcat("[registrar]\n", lines, NULL);
    assert_true(g_file_set_contents(place->conf, text, -1, NULL));
    g_autoptr(GError) error = NULL;
    Config *config = config_load(&schema, NULL, &error);
    if (!config)
        fail_msg("%s", error->message);
    return config;
}

static void make_directory(const Place *place, const char *name)
{
    AuthoritySettings settings = test_settings();
    g_autofree char *directory = g_build_filename(place->work, name, NULL);
    assert_true(authority_ensure(directory, &settings, NULL));
    assert_true(authority_ensure_certificate(directory, &settings, "server", PKI_ROLE_SERVER, NULL,
                                             NULL, NULL, NULL));
    assert_true(authority_ensure_certificate(directory, &settings, "client", PKI_ROLE_CLIENT, NULL,
                                             NULL, NULL, NULL));
}

static void assert_path(const Place *place, const char *found, const char *expected)
{
    g_autofree char *path = g_build_filename(place->work, expected, NULL);
    assert_string_equal(found, path);
}

static void test_default_is_the_shared_directory(void **state)
{
    const Place *place = *state;
    make_directory(place, "cv_ca");
    g_autoptr(Config) config = configure(place, "");
    g_autoptr(TlsFiles) files = tls_server_files(config, "registrar", 0, NULL);
    assert_non_null(files);
    assert_path(place, files->directory, "cv_ca");
    assert_path(place, files->certificate, "cv_ca/server-cert.crt");
    assert_path(place, files->key, "cv_ca/server-private.pem");
    assert_path(place, files->trusted_ca[0], "cv_ca/cacert.crt");
    assert_null(files->trusted_ca[1]);
    assert_null(files->key_password);
    SSL_CTX *context = tls_server_context(files, NULL);
    assert_non_null(context);
    SSL_CTX_free(context);
}

static void test_named_files(void **state)
{
    const Place *place = *state;
    g_autoptr(Config) config =
        configure(place, "tls_dir = own\nserver_cert = mine.crt\nserver_key = /etc/mine.pem\n"
                         "server_key_password = secret\n"
                         "trusted_client_ca = ['a.crt', '/etc/b.crt']\n");
    g_autoptr(TlsFiles) files = tls_server_files(config, "registrar", 0, NULL);
    assert_non_null(files);
    assert_path(place, files->certificate, "own/mine.crt");
    assert_string_equal(files->key, "/etc/mine.pem");
    assert_string_equal(files->key_password, "secret");
    assert_path(place, files->trusted_ca[0], "own/a.crt");
    assert_string_equal(files->trusted_ca[1], "/etc/b.crt");
    /* The spelling of upstream's comments, and nobody at all. */
    g_autoptr(Config) bare = configure(place, "tls_dir = own\ntrusted_client_ca = [cacert.crt]\n");
    g_autoptr(TlsFiles) of_bare = tls_server_files(bare, "registrar", 0, NULL);
    assert_path(place, of_bare->trusted_ca[0], "own/cacert.crt");
    g_autoptr(Config) none = configure(place, "tls_dir = own\ntrusted_client_ca =\n");
    g_autoptr(TlsFiles) of_none = tls_server_files(none, "registrar", 0, NULL);
    assert_null(of_none->trusted_ca[0]);
}

static void expect_refusal(const Place *place, const char *lines, bool client, const char *words)
{
    g_autoptr(Config) config = configure(place, lines);
    g_autoptr(GError) error = NULL;
    g_autoptr(TlsFiles) files = client ? tls_client_files(config, "registrar", &error)
                                       : tls_server_files(config, "registrar", 0, &error);
    assert_null(files);
    if (!strstr(error->message, words))
        fail_msg("%s", error->message);
}

static void test_refusals(void **state)
{
    const Place *place = *state;
    expect_refusal(place, "tls_dir =\n", false, "'tls_dir' option is not set");
    expect_refusal(place, "tls_dir = own\ntrusted_client_ca = all\n", false, "trusted_client_ca");
    expect_refusal(place, "tls_dir = own\ntrusted_client_ca = ['a\n", false, "trusted_client_ca");
    expect_refusal(place, "tls_dir = generate\nserver_key = x\n", false, "server_key");
    expect_refusal(place, "tls_dir = generate\n", true, "tls_dir");
    expect_refusal(place, "tls_dir = own\n", true, "client certificate");
}

static void test_generate(void **state)
{
    const Place *place = *state;
    g_autoptr(Config) config =
        configure(place, "tls_dir = generate\nserver_key_password = secret\n"
                         "cert_subject_alternative_names = name.example,192.0.2.1\n");
    g_autoptr(TlsFiles) files = tls_server_files(config, "registrar", 0, NULL);
    assert_non_null(files);
    assert_path(place, files->certificate, "reg_ca/server-cert.crt");
    assert_path(place, files->trusted_ca[0], "reg_ca/cacert.crt");
    g_autoptr(X509) certificate = pem_file_certificate(files->certificate, NULL);
    static const char *const dns[] = {"localhost", "name.example", NULL};
    static const char *const ip[] = {"127.0.0.1", "::1", "192.0.2.1", NULL};
    assert_true(certificate_has_names(certificate, dns, ip));
    SSL_CTX *context = tls_server_context(files, NULL);
    assert_non_null(context);
    SSL_CTX_free(context);
    /* Where the verifier's CA is, its clients are trusted. */
    make_directory(place, "cv_ca");
    g_autoptr(TlsFiles) beside = tls_server_files(config, "registrar", 0, NULL);
    assert_path(place, beside->trusted_ca[0], "cv_ca/cacert.crt");
}

static void test_client(void **state)
{
    const Place *place = *state;
    make_directory(place, "cv_ca");
    g_autoptr(Config) config = configure(place, "");
    g_autoptr(TlsFiles) files = tls_client_files(config, "registrar", NULL);
    assert_non_null(files);
    assert_path(place, files->certificate, "cv_ca/client-cert.crt");
    assert_path(place, files->key, "cv_ca/client-private.pem");
    assert_path(place, files->trusted_ca[0], "cv_ca/cacert.crt");
    g_autoptr(Config) all = configure(place, "trusted_server_ca = all\n");
    g_autoptr(TlsFiles) of_all = tls_client_files(all, "registrar", NULL);
    assert_true(of_all->trust_all);
    assert_null(of_all->trusted_ca[0]);
}

/* A usage that excludes the role would make every peer refuse; D38, D114. */
static void test_certificates_are_for_their_role(void **state)
{
    const Place *place = *state;
    make_directory(place, "own");
    g_autoptr(Config) config =
        configure(place, "tls_dir = own\nserver_cert = client-cert.crt\n"
                         "server_key = client-private.pem\ntrusted_client_ca = [cacert.crt]\n");
    g_autoptr(TlsFiles) files = tls_server_files(config, "registrar", 0, NULL);
    assert_non_null(files);
    g_autoptr(GError) error = NULL;
    assert_null(tls_server_context(files, &error));
    assert_non_null(strstr(error->message, "own/client-cert.crt is not for a server"));
    assert_non_null(strstr(error->message, "serverAuth"));
    expect_refusal(place,
                   "tls_dir = own\nclient_cert = server-cert.crt\n"
                   "client_key = server-private.pem\ntrusted_server_ca = [cacert.crt]\n",
                   true, "lacks clientAuth");
}

static void expect_no_context(const TlsFiles *files, int code, const char *words)
{
    g_autoptr(GError) error = NULL;
    assert_null(tls_server_context(files, &error));
    if (!g_error_matches(error, PKI_ERROR, code) || !strstr(error->message, words))
        fail_msg("%d %s", error->code, error->message);
}

static void test_context_of_bad_files(void **state)
{
    const Place *place = *state;
    make_directory(place, "own");
    g_autoptr(Config) config =
        configure(place, "tls_dir = own\ntrusted_client_ca = [cacert.crt]\n");
    g_autoptr(TlsFiles) files = tls_server_files(config, "registrar", 0, NULL);
    g_autofree char *key = g_strdup(files->key);
    g_autofree char *trusted = g_strdup(files->trusted_ca[0]);
    SSL_CTX *context = tls_server_context(files, NULL);
    assert_non_null(context);
    SSL_CTX_free(context);

    g_free(files->key);
    files->key = g_build_filename(files->directory, "client-private.pem", NULL);
    expect_no_context(files, PKI_ERROR_MISMATCH, "does not belong");
    g_free(files->key);
    files->key = g_strdup(files->directory);
    expect_no_context(files, PKI_ERROR_FILE, "no regular file");
    g_free(files->key);
    files->key = g_strdup(files->certificate);
    expect_no_context(files, PKI_ERROR_MALFORMED, "no private key");
    g_free(files->key);
    files->key = g_steal_pointer(&key);
    g_free(files->trusted_ca[0]);
    files->trusted_ca[0] = g_strdup(files->key);
    expect_no_context(files, PKI_ERROR_MALFORMED, "trusted CA certificate");
    g_free(files->trusted_ca[0]);
    files->trusted_ca[0] = g_strconcat(trusted, ".missing", NULL);
    expect_no_context(files, PKI_ERROR_FILE, "No such file");
}

/* As another user: the message names owner, mode and who needs it (contract C120). */
static void test_unreadable_file(void **state)
{
    if (geteuid() != 0)
        skip();
    const Place *place = *state;
    g_autofree char *path = g_build_filename(place->work, "key.pem", NULL);
    assert_true(g_file_set_contents(path, "key", -1, NULL));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(place->work, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        g_autoptr(GError) error = NULL;
        bool refused = seteuid(65534) == 0 && !pem_file_check_readable(path, "server key", &error);
        _exit(refused && strstr(error->message, "owner root, mode 0600") &&
                      strstr(error->message, "readable by user nobody")
                  ? 0
                  : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void test_host_names(void **state)
{
    g_auto(GStrv) dns = NULL, ip = NULL;
    host_names("0.0.0.0", " b.example ,a.example,,192.0.2.1, ::1", &dns, &ip);
    const char *const *names = (const char *const *)dns;
    const char *const *addresses = (const char *const *)ip;
    assert_true(g_strv_contains(names, "localhost"));
    assert_true(g_strv_contains(names, "a.example"));
    assert_true(g_strv_contains(names, "b.example"));
    assert_true(g_strv_contains(addresses, "127.0.0.1"));
    assert_true(g_strv_contains(addresses, "192.0.2.1"));
    assert_false(g_strv_contains(addresses, "0.0.0.0"));
    assert_int_equal(g_strv_length(ip), 3); /* no doubles */
    for (guint i = 1; dns[i]; i++)
        assert_true(strcmp(dns[i - 1], dns[i]) < 0);
    g_auto(GStrv) bound_dns = NULL, bound_ip = NULL;
    host_names("host.example", "", &bound_dns, &bound_ip);
    assert_true(g_strv_contains((const char *const *)bound_dns, "host.example"));
    g_auto(GStrv) any_dns = NULL, any_ip = NULL;
    host_names("::", "", &any_dns, &any_ip);
    assert_int_equal(g_strv_length(any_ip), 2);
}

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_default_is_the_shared_directory),
        PLACE_TEST(test_named_files),
        PLACE_TEST(test_refusals),
        PLACE_TEST(test_generate),
        PLACE_TEST(test_client),
        PLACE_TEST(test_certificates_are_for_their_role),
        PLACE_TEST(test_context_of_bad_files),
        PLACE_TEST(test_unreadable_file),
        cmocka_unit_test(test_host_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
