/* SPDX-License-Identifier: Apache-2.0 */
/* The CA directory: profiles, files and modes, renewal (contract U23), processes that start
 * together. */
#include "fixture.h"
#include "pki/keystore.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const server_dns[] = {"localhost", "server.example", NULL};
static const char *const server_ip[] = {"127.0.0.1", "::1", NULL};

static bool ensure_server(const char *directory, const AuthoritySettings *settings, GError **error)
{
    return authority_ensure(directory, settings, error) &&
           authority_ensure_certificate(directory, settings, "server", PKI_ROLE_SERVER, server_dns,
                                        server_ip, NULL, error);
}

static X509 *read_certificate(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    X509 *certificate = pem_file_certificate(path, NULL);
    assert_non_null(certificate);
    return certificate;
}

static int mode_of(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

/* Chain under OpenSSL's strict rules, for one purpose. */
static int strict_result(X509 *ca, X509 *leaf, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, leaf, NULL);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_purpose(context, purpose);
    int result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return result;
}

static void test_certificates_verify_strictly(void **state)
{
    for (PkiKeyType type = PKI_KEY_EC_P256; type <= PKI_KEY_RSA; type++) {
        g_autofree char *directory = test_directory();
        AuthoritySettings settings = test_settings();
        settings.key_type = type;
        GError *error = NULL;
        assert_true(ensure_server(directory, &settings, &error));
        assert_true(authority_ensure_certificate(directory, &settings, "client", PKI_ROLE_CLIENT,
                                                 NULL, NULL, NULL, &error));
        g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
        g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
        g_autoptr(X509) client = read_certificate(directory, "client-cert.crt");
        assert_int_equal(strict_result(ca, server, X509_PURPOSE_SSL_SERVER), X509_V_OK);
        assert_int_equal(strict_result(ca, client, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
        assert_int_equal(strict_result(ca, server, X509_PURPOSE_SSL_CLIENT),
                         X509_V_ERR_INVALID_PURPOSE);
        assert_int_equal(strict_result(ca, client, X509_PURPOSE_SSL_SERVER),
                         X509_V_ERR_INVALID_PURPOSE);
        assert_true(certificate_has_names(server, server_dns, server_ip));
        static const char *const other[] = {"elsewhere", NULL};
        assert_false(certificate_has_names(server, other, NULL));
        assert_int_equal(X509_check_host(client, "client", 0, 0, NULL), 1);
        test_remove(directory);
    }
}

static void test_subject_and_dates(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(ensure_server(directory, &settings, NULL));
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
    char name[256];
    X509_NAME_oneline(X509_get_subject_name(server), name, sizeof name);
    assert_string_equal(name, "/C=US/CN=server/ST=MA/L=Lexington/O=Keylime/OU=53");
    X509_NAME_oneline(X509_get_issuer_name(server), name, sizeof name);
    assert_string_equal(name,
                        "/C=US/CN=Keylime Certificate Authority/ST=MA/L=Lexington/O=Keylime/OU=53");
    int days = 0, seconds = 0;
    /* Five minutes ago, for peers whose clock is behind. */
    ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(server), NULL);
    assert_int_equal(days, 0);
    assert_in_range(seconds, 300, 330);
    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(server));
    assert_in_range(days, 364, 365);
    /* Serial numbers are positive, large, and differ. */
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(ca), X509_get0_serialNumber(server)), 0);
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(server)), 16);
    test_remove(directory);
}

static void test_certificate_ends_with_its_ca(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    settings.ca_lifetime_days = 10;
    assert_true(ensure_server(directory, &settings, NULL));
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
    assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(server), X509_get0_notAfter(ca)), 0);
    test_remove(directory);
}

static void test_files_and_modes(void **state)
{
    g_autofree char *parent = test_directory();
    g_autofree char *directory = g_build_filename(parent, "cv_ca", NULL);
    AuthoritySettings settings = test_settings();
    mode_t before = umask(022);
    assert_true(ensure_server(directory, &settings, NULL));
    umask(before);
    assert_int_equal(mode_of(parent, "cv_ca"), 0700);
    static const char *const public_files[] = {"cacert.crt",      "ca-public.pem",
                                               "cacrl.der",       "cacrl.pem",
                                               "server-cert.crt", "server-public.pem"};
    for (guint i = 0; i < G_N_ELEMENTS(public_files); i++)
        assert_int_equal(mode_of(directory, public_files[i]), 0640);
    assert_int_equal(mode_of(directory, "private.yml"), 0600);
    assert_int_equal(mode_of(directory, "server-private.pem"), 0600);
    test_remove(directory);
    test_remove(parent);
}

static void test_nothing_changes_on_the_second_start(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    g_autofree char *foreign = g_build_filename(directory, "foreign.pem", NULL);
    assert_true(g_file_set_contents(foreign, "not ours", -1, NULL));
    assert_true(ensure_server(directory, &settings, NULL));
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
    assert_true(ensure_server(directory, &settings, NULL));
    g_autoptr(X509) ca_again = read_certificate(directory, "cacert.crt");
    g_autoptr(X509) server_again = read_certificate(directory, "server-cert.crt");
    assert_int_equal(X509_cmp(ca, ca_again), 0);
    assert_int_equal(X509_cmp(server, server_again), 0);
    assert_true(g_file_test(foreign, G_FILE_TEST_EXISTS));
    test_remove(directory);
}

/* Puts a certificate with the given dates in place of the server's. */
static void age_server(const char *directory, const AuthoritySettings *settings, long start,
                       long end)
{
    g_autofree char *store = g_build_filename(directory, "private.yml", NULL);
    g_autofree char *key_path = g_build_filename(directory, "server-private.pem", NULL);
    g_autofree char *path = g_build_filename(directory, "server-cert.crt", NULL);
    g_autoptr(Keystore) keystore = keystore_load(store, settings->password, NULL);
    g_autoptr(EVP_PKEY) key = pem_file_private_key(key_path, NULL, NULL);
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    CertificateRequest request = {"server", PKI_ROLE_SERVER, server_dns, server_ip};
    g_autoptr(X509) old = certificate_make(settings, &request, key, ca, keystore->ca_key, NULL);
    test_set_dates(old, start, end, keystore->ca_key);
    g_autofree char *text = pem_of_certificate(old);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static bool renewed(const char *directory, const AuthoritySettings *settings)
{
    g_autoptr(X509) before = read_certificate(directory, "server-cert.crt");
    assert_true(ensure_server(directory, settings, NULL));
    g_autoptr(X509) after = read_certificate(directory, "server-cert.crt");
    return X509_cmp(before, after) != 0;
}

static void test_renewal_after_two_thirds(void **state)
{
    const long day = 86400;
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(ensure_server(directory, &settings, NULL));
    age_server(directory, &settings, -60 * day, 31 * day); /* 34 % left */
    assert_false(renewed(directory, &settings));
    age_server(directory, &settings, -60 * day, 29 * day); /* 33 % left */
    assert_true(renewed(directory, &settings));
    age_server(directory, &settings, -60 * day, -1 * day); /* expired */
    assert_true(renewed(directory, &settings));
    assert_false(renewed(directory, &settings));
    test_remove(directory);
}

static void test_new_names_mean_a_new_certificate(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(ensure_server(directory, &settings, NULL));
    static const char *const dns[] = {"localhost", "new.example", NULL};
    static const char *const ip[] = {"127.0.0.1", "192.0.2.7", NULL};
    assert_true(authority_ensure_certificate(directory, &settings, "server", PKI_ROLE_SERVER, dns,
                                             ip, NULL, NULL));
    g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
    assert_true(certificate_has_names(server, dns, ip));
    test_remove(directory);
}

/* Without the CA's key a pair that still serves is kept; one that cannot serve is an error. */
static void test_without_the_key_store(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(ensure_server(directory, &settings, NULL));
    age_server(directory, &settings, -60 * 86400, 86400);
    AuthoritySettings wrong = settings;
    wrong.password = "another";
    assert_false(renewed(directory, &wrong));
    g_autofree char *path = g_build_filename(directory, "server-cert.crt", NULL);
    g_unlink(path);
    g_autoptr(GError) error = NULL;
    assert_false(ensure_server(directory, &wrong, &error));
    assert_true(g_error_matches(error, PKI_ERROR, PKI_ERROR_MALFORMED));
    assert_non_null(strstr(error->message, "wrong password"));
    test_remove(directory);
}

static void test_foreign_pair_is_kept_beside(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(ensure_server(directory, &settings, NULL));
    g_autofree char *path = g_build_filename(directory, "server-cert.crt", NULL);
    g_autofree char *kept = g_build_filename(directory, "server-cert.crt.old", NULL);
    g_autofree char *key_kept = g_build_filename(directory, "server-private.pem.old", NULL);
    /* A certificate of another CA. */
    g_autoptr(EVP_PKEY) key = certificate_new_key(&settings, NULL);
    g_autoptr(X509) other = certificate_make_ca(&settings, key, NULL);
    g_autofree char *text = pem_of_certificate(other);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_true(renewed(directory, &settings));
    g_autofree char *kept_text = NULL;
    assert_true(g_file_get_contents(kept, &kept_text, NULL, NULL));
    assert_string_equal(kept_text, text);
    assert_true(g_file_test(key_kept, G_FILE_TEST_EXISTS));
    test_remove(directory);
}

static void test_pair_of_another_role_is_replaced(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(authority_ensure(directory, &settings, NULL));
    assert_true(authority_ensure_certificate(directory, &settings, "server", PKI_ROLE_CLIENT,
                                             server_dns, server_ip, NULL, NULL));
    assert_true(renewed(directory, &settings));
    assert_false(renewed(directory, &settings));
    test_remove(directory);
}

static void test_key_password(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(authority_ensure(directory, &settings, NULL));
    assert_true(authority_ensure_certificate(directory, &settings, "server", PKI_ROLE_SERVER,
                                             server_dns, server_ip, "secret", NULL));
    g_autofree char *path = g_build_filename(directory, "server-private.pem", NULL);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_true(g_str_has_prefix(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    g_autoptr(GError) error = NULL;
    g_autoptr(EVP_PKEY) none = pem_file_private_key(path, NULL, &error);
    assert_null(none);
    assert_true(g_error_matches(error, PKI_ERROR, PKI_ERROR_MALFORMED));
    g_autoptr(EVP_PKEY) key = pem_file_private_key(path, "secret", NULL);
    assert_non_null(key);
    test_remove(directory);
}

/* The CA's certificate was lost, its key was not: certificates that are in use stay good. */
static void test_lost_ca_certificate_is_made_with_the_old_key(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(ensure_server(directory, &settings, NULL));
    g_autofree char *path = g_build_filename(directory, "cacert.crt", NULL);
    g_unlink(path);
    assert_false(renewed(directory, &settings));
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
    assert_int_equal(strict_result(ca, server, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    test_remove(directory);
}

static void test_processes_that_start_together(void **state)
{
    enum { PROCESSES = 4 };
    g_autofree char *parent = test_directory();
    g_autofree char *directory = g_build_filename(parent, "cv_ca", NULL);
    AuthoritySettings settings = test_settings();
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (fork() == 0)
            _exit(ensure_server(directory, &settings, NULL) ? 0 : 1);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    g_autoptr(X509) server = read_certificate(directory, "server-cert.crt");
    g_autofree char *key_path = g_build_filename(directory, "server-private.pem", NULL);
    g_autoptr(EVP_PKEY) key = pem_file_private_key(key_path, NULL, NULL);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(server), key), 1);
    assert_int_equal(strict_result(ca, server, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    test_remove(directory);
    test_remove(parent);
}

static void test_directory_that_cannot_be_made(void **state)
{
    AuthoritySettings settings = test_settings();
    g_autoptr(GError) error = NULL;
    assert_false(authority_ensure("/proc/none/cv_ca", &settings, &error));
    assert_true(g_error_matches(error, PKI_ERROR, PKI_ERROR_FILE));
    assert_non_null(strstr(error->message, "/proc/none/cv_ca"));
}

static void test_revocation_list(void **state)
{
    g_autofree char *directory = test_directory();
    AuthoritySettings settings = test_settings();
    assert_true(authority_ensure(directory, &settings, NULL));
    g_autofree char *path = g_build_filename(directory, "cacrl.der", NULL);
    g_autofree char *data = NULL;
    gsize size = 0;
    assert_true(g_file_get_contents(path, &data, &size, NULL));
    const uint8_t *at = (const uint8_t *)data;
    g_autoptr(X509_CRL) crl = d2i_X509_CRL(NULL, &at, (long)size);
    assert_non_null(crl);
    g_autoptr(X509) ca = read_certificate(directory, "cacert.crt");
    assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(ca)), 1);
    assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
    assert_true(X509_cmp_current_time(X509_CRL_get0_nextUpdate(crl)) > 0);
    test_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates_verify_strictly),
        cmocka_unit_test(test_subject_and_dates),
        cmocka_unit_test(test_certificate_ends_with_its_ca),
        cmocka_unit_test(test_files_and_modes),
        cmocka_unit_test(test_nothing_changes_on_the_second_start),
        cmocka_unit_test(test_renewal_after_two_thirds),
        cmocka_unit_test(test_new_names_mean_a_new_certificate),
        cmocka_unit_test(test_without_the_key_store),
        cmocka_unit_test(test_foreign_pair_is_kept_beside),
        cmocka_unit_test(test_pair_of_another_role_is_replaced),
        cmocka_unit_test(test_key_password),
        cmocka_unit_test(test_lost_ca_certificate_is_made_with_the_old_key),
        cmocka_unit_test(test_processes_that_start_together),
        cmocka_unit_test(test_directory_that_cannot_be_made),
        cmocka_unit_test(test_revocation_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
