/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities and negotiation (verifier-push-api §5.3, §5.4; decisions D6-D9, D71, D76, D79;
 * contract C116b). */
#include "verifier/attestation/negotiation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/software_tpm.h"
#include "base/encoding.h"

#define PCR(n) (UINT32_C(1) << (n))

static const char *const all_hashes[] = {"sha512", "sha384", "sha256", NULL};
static const char *const all_keys[] = {"ecc", "rsa", NULL};
static const char *const all_schemes[] = {"rsassa", "rsapss", "ecdsa", NULL};

typedef struct {
    SoftwareTpm *tpm;
    NegotiationTerms terms;
    Json *attributes;
    GPtrArray *errors;
    Capabilities *capabilities;
    Negotiated negotiated;
} Bench;

static SoftwareTpm *make_tpm(uint16_t type, uint16_t bits, uint16_t scheme, uint16_t hash)
{
    const KeyTemplate keys = {type, bits, scheme, hash};
    g_autoptr(GBytes) tpmt = NULL;
    g_autoptr(GBytes) private_part = NULL;
    SoftwareTpm *tpm = software_tpm_new(&keys, NULL);
    assert_non_null(tpm);
    assert_true(software_tpm_create_ak(tpm, &tpmt, &private_part, NULL));
    return tpm;
}

static int setup(void **state)
{
    Bench *bench = g_new0(Bench, 1);
    bench->tpm = make_tpm(TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256);
    bench->terms = (NegotiationTerms){.ak = software_tpm_ak(bench->tpm),
                                      .accept = {all_hashes, all_keys, all_schemes}};
    bench->errors = api_errors_new();
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    Bench *bench = *state;
    capabilities_free(bench->capabilities);
    json_unref(bench->attributes);
    g_ptr_array_unref(bench->errors);
    software_tpm_free(bench->tpm);
    g_free(bench);
    return 0;
}

/* `quote` is the object of capabilities, %s in it the AK's public area in base64. */
static bool offer(Bench *bench, const char *quote)
{
    g_autofree char *public = base64_encode(bytes_of_gbytes(bench->terms.ak->tpmt));
    g_auto(GStrv) parts = g_strsplit(quote, "@AK@", -1);
    g_autofree char *filled = g_strjoinv(public, parts);
    g_autofree char *text =
        g_strdup_printf("{\"evidence_supported\": [{\"evidence_class\": \"certification\","
                        " \"evidence_type\": \"tpm_quote\", \"capabilities\": %s}]}",
                        filled);
    g_clear_pointer(&bench->capabilities, capabilities_free);
    json_unref(bench->attributes);
    g_ptr_array_set_size(bench->errors, 0);
    bench->attributes = json_parse(bytes_of_text(text), NULL);
    assert_non_null(bench->attributes);
    bench->capabilities = capabilities_read(bench->attributes, bench->errors);
    return bench->capabilities &&
           negotiate(bench->capabilities, &bench->terms, &bench->negotiated, bench->errors);
}

static const ApiError *only_error(const Bench *bench)
{
    assert_int_equal(bench->errors->len, 1);
    const ApiError *error = g_ptr_array_index(bench->errors, 0);
    assert_int_equal(error->status, 422);
    assert_string_equal(error->code, "invalid_resource_data");
    return error;
}

static void refuses(Bench *bench, const char *quote, const char *member, const char *word)
{
    assert_false(offer(bench, quote));
    const ApiError *error = only_error(bench);
    g_autofree char *pointer =
        g_strdup_printf("/data/attributes/evidence_supported/0/capabilities/%s", member);
    assert_string_equal(error->pointer, pointer);
    if (!strstr(error->detail, word))
        fail_msg("'%s' is not in '%s'", word, error->detail);
}

#define KEYS                                                                                       \
    "\"certification_keys\": [{\"key_class\": \"asymmetric\", \"key_algorithm\": \"ecc\","         \
    " \"key_size\": 256, \"public\": \"@AK@\"}]"
#define HEAD "{\"component_version\": \"2.0\", "
#define SCHEMES "\"signature_schemes\": [\"rsassa\", \"ecdsa\"], "
#define HASHES "\"hash_algorithms\": [\"sha1\", \"sha256\", \"sha512\"], "
#define BANKS "\"available_subjects\": {\"sha1\": [0, 1], \"sha256\": [0, 7, 15]}, "
#define PLAIN HEAD SCHEMES HASHES BANKS KEYS "}"

static void the_keys_own_algorithms_are_chosen(void **state)
{
    Bench *bench = *state;
    bench->terms.required_pcrs = PCR(7) | PCR(15);
    assert_true(offer(bench, PLAIN));
    assert_int_equal(bench->negotiated.scheme, TPM_ALG_ECDSA);
    assert_int_equal(bench->negotiated.hash, TPM_ALG_SHA256);
    assert_int_equal(bench->negotiated.pcrs, PCR(7) | PCR(15));
    assert_int_equal(bench->negotiated.key, 0);
}

static void one_pcr_is_asked_without_policy(void **state)
{
    Bench *bench = *state;
    assert_true(offer(bench, PLAIN));
    assert_int_equal(bench->negotiated.pcrs, PCR(0));
    assert_true(offer(bench, HEAD SCHEMES HASHES
                      "\"available_subjects\": {\"sha256\": [23, 9]}, " KEYS "}"));
    assert_int_equal(bench->negotiated.pcrs, PCR(9));
    refuses(bench, HEAD SCHEMES HASHES "\"available_subjects\": {\"sha256\": []}, " KEYS "}",
            "available_subjects", "all");
}

static void missing_pcrs_are_named(void **state)
{
    Bench *bench = *state;
    bench->terms.required_pcrs = PCR(7) | PCR(8) | PCR(22);
    refuses(bench, PLAIN, "available_subjects", "sha256: 8, 22");
}

static void accepted_lists_are_law(void **state)
{
    Bench *bench = *state;
    static const char *const rsa[] = {"rsa", NULL};
    static const char *const ecc384[] = {"ecc384", NULL};
    static const char *const rsassa[] = {"ecschnorr", "rsassa", NULL};
    static const char *const sha512[] = {"sha512", NULL};
    bench->terms.accept.encryption = rsa;
    refuses(bench, PLAIN, "certification_keys", "ecc256, and the enrolment accepts ['rsa']");
    bench->terms.accept.encryption = ecc384;
    refuses(bench, PLAIN, "certification_keys", "accept_tpm_encryption_algs");
    bench->terms.accept.encryption = all_keys;
    bench->terms.accept.signing = rsassa;
    refuses(bench, PLAIN, "signature_schemes", "['ecschnorr', 'rsassa']");
    refuses(bench, PLAIN, "signature_schemes", "tenant option accept_tpm_signing_algs");
    bench->terms.accept.signing = all_schemes;
    bench->terms.accept.hashes = sha512;
    refuses(bench, PLAIN, "hash_algorithms", "['sha512']");
    refuses(bench, PLAIN, "hash_algorithms", "tenant option accept_tpm_hash_algs");
}

static void offers_must_contain_what_is_chosen(void **state)
{
    Bench *bench = *state;
    refuses(bench, HEAD "\"signature_schemes\": [\"rsassa\"], " HASHES BANKS KEYS "}",
            "signature_schemes", "ecdsa");
    refuses(bench,
            HEAD SCHEMES "\"hash_algorithms\": [\"sha1\"], "
                         "\"available_subjects\": {\"sha1\": [0]}, " KEYS "}",
            "hash_algorithms", "its banks are sha1");
    refuses(bench, HEAD SCHEMES "\"hash_algorithms\": [\"sha256\"], " BANKS KEYS "}",
            "available_subjects", "may only contain PCR banks for the given hash algorithms");
    refuses(bench, "{\"component_version\": \"1.2\", " SCHEMES HASHES BANKS KEYS "}",
            "component_version", "2.0");
    refuses(bench, HEAD SCHEMES HASHES "\"available_subjects\": [0, 1], " KEYS "}",
            "available_subjects", "dictionary");
}

static void sha1_counts_only_when_it_is_named(void **state)
{
    Bench *bench = *state;
    static const char *const sha1[] = {"sha1", NULL};
    software_tpm_free(bench->tpm);
    bench->tpm = make_tpm(TPM_ALG_RSA, 2048, TPM_ALG_RSAPSS, TPM_ALG_SHA256);
    bench->terms.ak = software_tpm_ak(bench->tpm);
    bench->terms.accept.hashes = sha1;
    refuses(bench, HEAD "\"signature_schemes\": [\"rsapss\"], " HASHES BANKS KEYS "}",
            "hash_algorithms", "sha256");
    bench->terms.accept.hashes = all_hashes;
    assert_true(offer(bench, HEAD "\"signature_schemes\": [\"rsassa\", \"rsapss\"], " HASHES BANKS
                                  "\"certification_keys\": [{\"key_class\": \"asymmetric\","
                                  " \"key_algorithm\": \"rsa\", \"key_size\": \"2048\","
                                  " \"public\": \"@AK@\"}]}"));
    assert_int_equal(bench->negotiated.scheme, TPM_ALG_RSAPSS);
}

static void first_fitting_item_wins(void **state)
{
    Bench *bench = *state;
    g_autofree char *public = base64_encode(bytes_of_gbytes(bench->terms.ak->tpmt));
    g_autofree char *item = g_strdup_printf(
        "{\"evidence_class\": \"certification\", \"evidence_type\": \"tpm_quote\","
        " \"capabilities\": " HEAD SCHEMES HASHES BANKS
        "\"certification_keys\": [{\"key_class\": \"asymmetric\", \"key_algorithm\": \"ecc\","
        " \"key_size\": 256, \"public\": \"%s\"}]}}",
        public);
    g_autofree char *text =
        g_strdup_printf("{\"evidence_supported\": [{\"evidence_class\": \"certification\","
                        " \"evidence_type\": \"tpm_quote\", \"capabilities\": "
                        "{\"component_version\": \"1.2\", " SCHEMES
                        "\"certification_keys\": [{\"key_class\": \"asymmetric\","
                        " \"key_algorithm\": \"ecc\", \"key_size\": 1,"
                        " \"server_identifier\": \"ak\"}]}}, %s]}",
                        item);
    bench->attributes = json_parse(bytes_of_text(text), NULL);
    bench->capabilities = capabilities_read(bench->attributes, bench->errors);
    assert_non_null(bench->capabilities);
    assert_true(negotiate(bench->capabilities, &bench->terms, &bench->negotiated, bench->errors));
    assert_int_equal(bench->negotiated.quote->position, 1);
    assert_int_equal(bench->errors->len, 0);
}

static void without_a_quote_nothing_can_be_asked(void **state)
{
    Bench *bench = *state;
    bench->attributes =
        json_parse(bytes_of_text("{\"evidence_supported\": [{\"evidence_class\": \"log\","
                                 " \"evidence_type\": \"ima_log\", \"capabilities\": {}}]}"),
                   NULL);
    bench->capabilities = capabilities_read(bench->attributes, bench->errors);
    assert_non_null(bench->capabilities);
    assert_false(negotiate(bench->capabilities, &bench->terms, &bench->negotiated, bench->errors));
    assert_string_equal(only_error(bench)->pointer, "/data/attributes/evidence_supported");
}

static void what_is_stored_shows_what_was_offered(void **state)
{
    Bench *bench = *state;
    assert_true(offer(bench, PLAIN));
    g_autofree char *text = offered_quote_store(bench->negotiated.quote);
    g_autoptr(Json) stored = json_parse(bytes_of_text(text), NULL);
    assert_non_null(stored);
    g_autoptr(Json) shown = offered_quote_stored_capabilities(stored);
    g_autofree char *banks = json_to_text(json_member(shown, "available_subjects"));
    assert_string_equal(banks, "{\"sha1\":[0,1],\"sha256\":[0,7,15]}");
    g_autoptr(Json) key = offered_quote_stored_key(stored, 0);
    g_autoptr(Json) offered = offered_key_to_json(&bench->negotiated.quote->key[0]);
    assert_true(json_object_equal(key, offered));
    assert_null(offered_quote_stored_key(stored, 1));
    g_autofree const char **names = offered_quote_stored_banks(stored);
    assert_string_equal(names[0], "sha1");
    assert_null(names[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_keys_own_algorithms_are_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(one_pcr_is_asked_without_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_pcrs_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(accepted_lists_are_law, setup, teardown),
        cmocka_unit_test_setup_teardown(offers_must_contain_what_is_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(sha1_counts_only_when_it_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(first_fitting_item_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_quote_nothing_can_be_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_stored_shows_what_was_offered, setup, teardown),
    };
    return cmocka_run_group_tests_name("verifier negotiation", tests, NULL, NULL);
}
