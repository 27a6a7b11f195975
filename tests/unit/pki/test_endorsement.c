/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of TPMs: reading them as they came, and the chain to the operator's anchors. */
#include "base/encoding.h"
#include "fixture.h"
#include "pki/endorsement.h"

#include <openssl/pem.h>
#include <string.h>

#define DAY 86400L
#define EK_USAGE "2.23.133.8.1"

typedef struct {
    EVP_PKEY *key;
    X509 *certificate;
} Party;

typedef struct {
    Party root, middle, ek;
    char *store;
} Chain;

static EVP_PKEY *new_key(void)
{
    AuthoritySettings settings = test_settings();
    return certificate_new_key(&settings, NULL);
}

static void add_extension(X509 *certificate, int nid, const char *text)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A certificate of `name` for `key`, signed by `issuer` (itself when NULL). */
static X509 *issue(const char *name, EVP_PKEY *key, const Party *issuer, bool ca, const char *usage)
{
    X509 *made = X509_new();
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                               (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(issuer ? issuer->certificate : made));
    X509_set_pubkey(made, key);
    add_extension(made, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (usage)
        add_extension(made, NID_ext_key_usage, usage);
    test_set_dates(made, -DAY, DAY, issuer ? issuer->key : key);
    return made;
}

static void put(const Chain *chain, const char *name, X509 *certificate)
{
    g_autofree char *path = g_build_filename(chain->store, name, NULL);
    g_autofree char *text = pem_of_certificate(certificate);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int set_up(void **state)
{
    Chain *chain = g_new0(Chain, 1);
    chain->store = test_directory();
    chain->root.key = new_key();
    chain->root.certificate = issue("Root", chain->root.key, NULL, true, NULL);
    chain->middle.key = new_key();
    chain->middle.certificate = issue("Middle", chain->middle.key, &chain->root, true, NULL);
    chain->ek.key = new_key();
    chain->ek.certificate = issue("EK", chain->ek.key, &chain->middle, false, EK_USAGE);
    *state = chain;
    return 0;
}

static void party_clear(Party *party)
{
    EVP_PKEY_free(party->key);
    X509_free(party->certificate);
}

static int tear_down(void **state)
{
    Chain *chain = *state;
    party_clear(&chain->root);
    party_clear(&chain->middle);
    party_clear(&chain->ek);
    test_remove(chain->store);
    g_free(chain->store);
    g_free(chain);
    return 0;
}

static char *base64_of(X509 *certificate, const char *trailing)
{
    unsigned char *der = NULL;
    int size = i2d_X509(certificate, &der);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, der, (guint)size);
    bytes_append(bytes, bytes_of_text(trailing));
    OPENSSL_free(der);
    return base64_encode(bytes_of_array(bytes));
}

/* As the agent sends it: the leaf, then the rest of the chain. */
static EkCertificate *parse_chain(X509 *leaf, X509 *next)
{
    g_autofree char *first = pem_of_certificate(leaf);
    g_autofree char *second = next ? pem_of_certificate(next) : g_strdup("");
    g_autofree char *text = g_strconcat(first, second, NULL);
    EkCertificate *certificate = ek_certificate_parse(text, NULL);
    assert_non_null(certificate);
    return certificate;
}

/* --- reading
 * -------------------------------------------------------------------------------------- */

static void test_both_forms(void **state)
{
    const Chain *chain = *state;
    g_autofree char *text = base64_of(chain->ek.certificate, "");
    g_autoptr(EkCertificate) of_der = ek_certificate_parse(text, NULL);
    g_autoptr(EkCertificate) of_pem = parse_chain(chain->ek.certificate, chain->middle.certificate);
    assert_non_null(of_der);
    assert_true(g_bytes_equal(of_der->der, of_pem->der));
    assert_int_equal(sk_X509_num(of_der->intermediates), 0);
    assert_int_equal(sk_X509_num(of_pem->intermediates), 1);
    assert_false(of_der->malformed);
    assert_false(of_pem->malformed);
    assert_true(ek_certificate_has_key(of_der, chain->ek.key));
    assert_false(ek_certificate_has_key(of_der, chain->root.key));
    assert_false(ek_certificate_has_key(of_der, NULL));
}

static void test_trailing_bytes_are_malformed_and_kept(void **state)
{
    const Chain *chain = *state;
    g_autofree char *text = base64_of(chain->ek.certificate, "x");
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(text, NULL);
    assert_non_null(certificate);
    assert_true(certificate->malformed);
    g_autofree char *kept = base64_encode(bytes_of_gbytes(certificate->der));
    assert_string_equal(kept, text);
}

/* DER leaves out a BOOLEAN that has its default: `critical FALSE` written out is another encoding.
 */
static void test_encoding_against_the_rules_is_malformed(void **state)
{
    const Chain *chain = *state;
    unsigned char *der = NULL;
    int size = i2d_X509(chain->ek.certificate, &der);
    /* critical TRUE of the basic constraints, which stands before the OCTET STRING. */
    static const uint8_t critical[] = {0x55, 0x1d, 0x13, 0x01, 0x01, 0xff};
    uint8_t *found = memmem(der, (size_t)size, critical, sizeof critical);
    assert_non_null(found);
    found[5] = 0x00;
    g_autofree char *text = base64_encode(bytes_of(der, (size_t)size));
    OPENSSL_free(der);
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(text, NULL);
    assert_non_null(certificate);
    assert_true(certificate->malformed);
}

static void test_what_is_no_certificate(void **state)
{
    static const char *const bad[] = {
        "",
        "emulator",
        "aGVsbG8=",
        "MAA=",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\naGVs",
        "-----BEGIN PUBLIC KEY-----\naGVsbG8=\n-----END PUBLIC KEY-----\n",
    };
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(EkCertificate) certificate = ek_certificate_parse(bad[i], &error);
        assert_null(certificate);
        assert_true(g_error_matches(error, PKI_ERROR, PKI_ERROR_MALFORMED));
    }
    g_autofree char *long_text = g_strnfill(200 * 1024, 'A');
    g_autoptr(GError) error = NULL;
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(long_text, &error);
    assert_null(certificate);
    assert_non_null(strstr(error->message, "too long"));
}

/* --- trust
 * ---------------------------------------------------------------------------------------- */

static void expect_trusted(const Chain *chain, const EkCertificate *certificate)
{
    g_autofree char *warning = NULL;
    g_autoptr(GError) error = NULL;
    if (!ek_certificate_verify(certificate, chain->store, &warning, &error))
        fail_msg("%s", error->message);
    assert_null(warning);
}

static void expect_refused(const Chain *chain, const EkCertificate *certificate, const char *words)
{
    g_autofree char *warning = NULL;
    g_autoptr(GError) error = NULL;
    assert_false(ek_certificate_verify(certificate, chain->store, &warning, &error));
    assert_true(g_error_matches(error, PKI_ERROR, PKI_ERROR_UNTRUSTED));
    if (!strstr(error->message, words))
        fail_msg("%s", error->message);
}

static void test_anchor_of_any_level(void **state)
{
    const Chain *chain = *state;
    g_autoptr(EkCertificate) alone = parse_chain(chain->ek.certificate, NULL);
    g_autoptr(EkCertificate) with = parse_chain(chain->ek.certificate, chain->middle.certificate);
    expect_refused(chain, alone, "holds no certificate");
    put(chain, "root.pem", chain->root.certificate);
    expect_refused(chain, alone, "CN=Middle");
    expect_trusted(chain, with);
    put(chain, "middle.pem", chain->middle.certificate);
    expect_trusted(chain, alone);
    g_autofree char *root = g_build_filename(chain->store, "root.pem", NULL);
    g_unlink(root);
    expect_trusted(chain, alone);
}

static void test_names_that_do_not_count(void **state)
{
    const Chain *chain = *state;
    g_autoptr(EkCertificate) with = parse_chain(chain->ek.certificate, chain->middle.certificate);
    put(chain, "root.crt", chain->root.certificate);
    expect_refused(chain, with, "holds no certificate");
    g_autofree char *broken = g_build_filename(chain->store, "broken.pem", NULL);
    assert_true(g_file_set_contents(broken, "nothing", -1, NULL));
    expect_refused(chain, with, "holds no certificate");
    put(chain, "root.pem", chain->root.certificate);
    expect_trusted(chain, with); /* a broken neighbour changes nothing */
}

static void test_several_certificates_in_a_file(void **state)
{
    const Chain *chain = *state;
    AuthoritySettings settings = test_settings();
    g_autoptr(X509) other = certificate_make_ca(&settings, chain->ek.key, NULL);
    g_autofree char *first = pem_of_certificate(other);
    g_autofree char *second = pem_of_certificate(chain->root.certificate);
    g_autofree char *both = g_strconcat(first, second, NULL);
    g_autofree char *path = g_build_filename(chain->store, "bundle.pem", NULL);
    assert_true(g_file_set_contents(path, both, -1, NULL));
    g_autoptr(EkCertificate) with = parse_chain(chain->ek.certificate, chain->middle.certificate);
    expect_trusted(chain, with);
}

static void test_dates(void **state)
{
    const Chain *chain = *state;
    put(chain, "root.pem", chain->root.certificate);
    test_set_dates(chain->ek.certificate, -2 * DAY, -DAY, chain->middle.key);
    g_autoptr(EkCertificate) expired =
        parse_chain(chain->ek.certificate, chain->middle.certificate);
    expect_refused(chain, expired, "certificate has expired");
    test_set_dates(chain->ek.certificate, DAY, 2 * DAY, chain->middle.key);
    g_autoptr(EkCertificate) future = parse_chain(chain->ek.certificate, chain->middle.certificate);
    expect_refused(chain, future, "not yet valid");

    /* Issuers may grow old: told, not refused. */
    test_set_dates(chain->ek.certificate, -DAY, DAY, chain->middle.key);
    test_set_dates(chain->middle.certificate, -2 * DAY, -DAY, chain->root.key);
    g_autoptr(EkCertificate) old = parse_chain(chain->ek.certificate, chain->middle.certificate);
    g_autofree char *warning = NULL;
    assert_true(ek_certificate_verify(old, chain->store, &warning, NULL));
    assert_non_null(strstr(warning, "Middle"));
    assert_non_null(strstr(warning, "expired"));
}

static void test_issuer_that_is_no_ca(void **state)
{
    const Chain *chain = *state;
    put(chain, "root.pem", chain->root.certificate);
    g_autoptr(X509) no_ca = issue("Middle", chain->middle.key, &chain->root, false, NULL);
    g_autoptr(EkCertificate) certificate = parse_chain(chain->ek.certificate, no_ca);
    expect_refused(chain, certificate, "CN=Middle");
}

static void test_signature_that_does_not_verify(void **state)
{
    const Chain *chain = *state;
    put(chain, "middle.pem", chain->middle.certificate);
    test_set_dates(chain->ek.certificate, -DAY, DAY, chain->root.key); /* says Middle, is not */
    g_autoptr(EkCertificate) certificate = parse_chain(chain->ek.certificate, NULL);
    expect_refused(chain, certificate, "signature");
}

static void test_key_usage(void **state)
{
    const Chain *chain = *state;
    put(chain, "middle.pem", chain->middle.certificate);
    g_autoptr(X509) none = issue("EK", chain->ek.key, &chain->middle, false, NULL);
    g_autoptr(EkCertificate) without = parse_chain(none, NULL);
    expect_trusted(chain, without);
    g_autoptr(X509) server = issue("EK", chain->ek.key, &chain->middle, false, "serverAuth");
    g_autoptr(EkCertificate) other = parse_chain(server, NULL);
    expect_refused(chain, other, "extended key usage");
}

static void test_device_names(void **state)
{
    const Chain *chain = *state;
    put(chain, "middle.pem", chain->middle.certificate);
    TpmTrust *trust = tpm_trust_new(chain->store);
    static const struct {
        const char *san;
        bool good;
    } cases[] = {
        {NULL, false},
        {"DNS:tpm", false},
        /* HardwareModuleName { 2.23.133.1.2, "01" }, the same of another type, and broken ones */
        {"DER:30:1d:a0:1b:06:08:2b:06:01:05:05:07:08:04:a0:0f:30:0d:06:05:67:81:05:01:02:04:04:30:"
         "31:30:31",
         true},
        {"DER:30:1d:a0:1b:06:08:2b:06:01:05:05:07:08:04:a0:0f:30:0d:06:05:67:81:05:01:03:04:04:30:"
         "31:30:31",
         false},
        {"DER:30:10:a0:0e:06:08:2b:06:01:05:05:07:08:04:a0:02:30:00", false},
        {"DER:30:10:a0:0e:06:08:2b:06:01:05:05:07:08:04:a0:02:05:00", false},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(X509) leaf = issue("IAK", chain->ek.key, &chain->middle, false, NULL);
        if (cases[i].san)
            add_extension(leaf, NID_subject_alt_name, cases[i].san);
        test_set_dates(leaf, -DAY, DAY, chain->middle.key);
        g_autoptr(EkCertificate) certificate = parse_chain(leaf, NULL);
        g_autofree char *warning = NULL;
        g_autoptr(GError) error = NULL;
        if (tpm_trust_verify_device(trust, certificate, &warning, &error) != cases[i].good)
            fail_msg("case %u: %s", i, error ? error->message : "trusted");
    }
    tpm_trust_free(trust);
}

static void test_store_is_read_again_after_a_change(void **state)
{
    const Chain *chain = *state;
    TpmTrust *trust = tpm_trust_new(chain->store);
    g_autoptr(EkCertificate) certificate = parse_chain(chain->ek.certificate, NULL);
    g_autofree char *warning = NULL;
    assert_false(tpm_trust_verify_ek(trust, certificate, &warning, NULL));
    put(chain, "middle.pem", chain->middle.certificate);
    assert_true(tpm_trust_verify_ek(trust, certificate, &warning, NULL));
    g_autofree char *path = g_build_filename(chain->store, "middle.pem", NULL);
    g_unlink(path);
    assert_false(tpm_trust_verify_ek(trust, certificate, &warning, NULL));
    tpm_trust_free(trust);
}

/* Written to, not replaced: the directory stays as it is. */
static void test_file_that_is_changed_in_place(void **state)
{
    const Chain *chain = *state;
    TpmTrust *trust = tpm_trust_new(chain->store);
    g_autoptr(EkCertificate) certificate = parse_chain(chain->ek.certificate, NULL);
    g_autofree char *warning = NULL;
    g_autofree char *path = g_build_filename(chain->store, "anchor.pem", NULL);
    g_autofree char *text = pem_of_certificate(chain->middle.certificate);
    assert_true(g_file_set_contents_full(path, "none", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    assert_false(tpm_trust_verify_ek(trust, certificate, &warning, NULL));
    assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    g_usleep(1100000);
    assert_true(tpm_trust_verify_ek(trust, certificate, &warning, NULL));
    assert_true(g_file_set_contents_full(path, "none", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    g_usleep(1100000);
    assert_false(tpm_trust_verify_ek(trust, certificate, &warning, NULL));
    tpm_trust_free(trust);
}

static void test_missing_store(void **state)
{
    const Chain *chain = *state;
    g_autoptr(EkCertificate) certificate = parse_chain(chain->ek.certificate, NULL);
    g_autofree char *warning = NULL;
    g_autoptr(GError) error = NULL;
    assert_false(ek_certificate_verify(certificate, "/nonexistent", &warning, &error));
    assert_non_null(strstr(error->message, "/nonexistent"));
    assert_non_null(strstr(error->message, "tpm_cert_store"));
}

#define CHAIN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHAIN_TEST(test_both_forms),
        CHAIN_TEST(test_trailing_bytes_are_malformed_and_kept),
        CHAIN_TEST(test_encoding_against_the_rules_is_malformed),
        CHAIN_TEST(test_what_is_no_certificate),
        CHAIN_TEST(test_anchor_of_any_level),
        CHAIN_TEST(test_names_that_do_not_count),
        CHAIN_TEST(test_several_certificates_in_a_file),
        CHAIN_TEST(test_dates),
        CHAIN_TEST(test_issuer_that_is_no_ca),
        CHAIN_TEST(test_signature_that_does_not_verify),
        CHAIN_TEST(test_key_usage),
        CHAIN_TEST(test_device_names),
        CHAIN_TEST(test_store_is_read_again_after_a_change),
        CHAIN_TEST(test_file_that_is_changed_in_place),
        CHAIN_TEST(test_missing_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
