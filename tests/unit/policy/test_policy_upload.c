/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies are taken, by whose signature, and with what status the others are refused. */
#include "policy/policy_upload.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PLAIN                                                                                      \
    "{\"meta\":{\"version\":1,\"generator\":1},\"release\":0,\"digests\":{},\"excludes\":[],"      \
    "\"keyrings\":{},\"ima\":{\"ignored_keyrings\":[],\"log_hash_alg\":\"sha1\",\"dm_policy\":"    \
    "null},\"ima-buf\":{},\"verification-keys\":\"\"}"

typedef struct {
    EVP_PKEY *key;
    char *pem, *envelope;
} Signer;

static void signer_init(Signer *signer, const char *payload_type)
{
    signer->key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PUBKEY(bio, signer->key);
    long size = BIO_get_mem_data(bio, &data);
    signer->pem = g_strndup(data, (gsize)size);
    BIO_free(bio);
    signer->envelope = dsse_sign(payload_type, bytes_of_text(PLAIN), signer->key, "id", NULL);
    assert_non_null(signer->envelope);
}

static void signer_clear(Signer *signer)
{
    EVP_PKEY_free(signer->key);
    g_free(signer->pem);
    g_free(signer->envelope);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Signer, signer_clear)

/* 200, or the error's status. */
static int status_of(const char *text, PolicyUploadKeys keys, PolicySignature *signature)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RuntimePolicy) policy = policy_upload_accept(
        bytes_of_text(text), &keys, &runtime_policy_rules_default, signature, &error);
    assert_int_equal(policy == NULL, error != NULL);
    return policy ? 200 : error->code;
}

static void test_without_keys(void **state)
{
    g_auto(Signer) signer;
    signer_init(&signer, DSSE_POLICY_TYPE);
    PolicySignature signature;
    assert_int_equal(status_of(PLAIN, (PolicyUploadKeys){0}, &signature), 200);
    assert_int_equal(signature, POLICY_SIGNATURE_NONE);
    assert_int_equal(status_of(signer.envelope, (PolicyUploadKeys){0}, &signature), 200);
    assert_int_equal(signature, POLICY_SIGNATURE_UNVERIFIED);
    PolicyUploadKeys required = {.signature_required = true};
    assert_int_equal(status_of(PLAIN, required, NULL), 401);
    assert_int_equal(status_of(signer.envelope, required, NULL), 401);
}

/* Also where no signature is asked for, a given key must have signed. */
static void test_key_of_the_request(void **state)
{
    g_auto(Signer) signer;
    g_auto(Signer) other;
    signer_init(&signer, DSSE_POLICY_TYPE);
    signer_init(&other, DSSE_POLICY_TYPE);
    PolicySignature signature;
    PolicyUploadKeys keys = {.request_key = signer.pem};
    assert_int_equal(status_of(signer.envelope, keys, &signature), 200);
    assert_int_equal(signature, POLICY_SIGNATURE_VERIFIED);
    assert_int_equal(status_of(other.envelope, keys, NULL), 401);
    keys.request_key = "no key";
    assert_int_equal(status_of(signer.envelope, keys, NULL), 401);
    keys = (PolicyUploadKeys){.request_key = signer.pem, .signature_required = true};
    assert_int_equal(status_of(PLAIN, keys, NULL), 400);
}

/* Decision D46: with keys of the operator, no other counts. */
static void test_trusted_keys(void **state)
{
    g_auto(Signer) trusted;
    g_auto(Signer) stranger;
    signer_init(&trusted, DSSE_POLICY_TYPE);
    signer_init(&stranger, DSSE_POLICY_TYPE);
    const char *const pems[] = {"no key", trusted.pem, NULL};
    PolicyUploadKeys keys = {.trusted_keys = pems};
    assert_int_equal(status_of(trusted.envelope, keys, NULL), 200);
    assert_int_equal(status_of(stranger.envelope, keys, NULL), 401);
    keys.request_key = stranger.pem;
    assert_int_equal(status_of(stranger.envelope, keys, NULL), 401);
    assert_int_equal(status_of(PLAIN, keys, NULL), 401);
    keys.request_key = trusted.pem;
    assert_int_equal(status_of(trusted.envelope, keys, NULL), 200);
}

static void test_payload_type(void **state)
{
    g_auto(Signer) signer;
    signer_init(&signer, "application/other");
    PolicyUploadKeys keys = {.request_key = signer.pem};
    assert_int_equal(status_of(signer.envelope, keys, NULL), 401);
}

/* Signed is what is compiled: a member whose name only begins like the envelope's is another one.
 */
static void test_names_with_nul_are_no_envelope(void **state)
{
    g_auto(Signer) signer;
    signer_init(&signer, DSSE_POLICY_TYPE);
    g_autoptr(GString) text = g_string_new(signer.envelope);
    g_string_replace(text, "\"payload\"", "\"payload\\u0000\"", 1);
    g_string_truncate(text, text->len - 1);
    g_string_append_printf(text, ",%s", PLAIN + 1);
    const char *const pems[] = {signer.pem, NULL};
    PolicySignature signature;
    PolicyUploadKeys keys = {.trusted_keys = pems};
    assert_int_equal(status_of(text->str, keys, &signature), 200);
    assert_int_equal(signature, POLICY_SIGNATURE_NONE);
    keys.signature_required = true;
    assert_int_equal(status_of(text->str, keys, NULL), 400);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "Runtime policy is not valid JSON!"},
        {"[]", "Runtime policy is not valid JSON!"},
        {"{\"exclude\": [\"[\"]}", "Invalid regex: unterminated character set. Exclude list regex"},
        {"{}", "Runtime policy is malformatted: meta: is a required member"},
        {"{\"payload\": \"****\"}", "Runtime policy is malformatted: "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const PolicyUploadKeys keys = {0};
        assert_null(policy_upload_accept(bytes_of_text(cases[i].text), &keys,
                                         &runtime_policy_rules_default, NULL, &error));
        assert_int_equal(error->code, 400);
        if (!g_str_has_prefix(error->message, cases[i].message))
            fail_msg("%s", error->message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_keys),
        cmocka_unit_test(test_key_of_the_request),
        cmocka_unit_test(test_trusted_keys),
        cmocka_unit_test(test_payload_type),
        cmocka_unit_test(test_names_with_nul_are_no_envelope),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
