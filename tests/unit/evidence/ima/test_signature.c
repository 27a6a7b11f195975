/* SPDX-License-Identifier: Apache-2.0 */
/* File signatures with keys made here, the keys that lists teach, and the table of known ones. */
#include "evidence/ima/signature.h"

#include "base/encoding.h"
#include "evidence/ima/algorithm.h"
#include "made_list.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    EVP_PKEY *pkey;
    GBytes *der;
    ImaKey *key;
} Signer;

static Signer rsa, ec;

static Signer new_signer(EVP_PKEY *pkey)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(pkey, &der);
    Signer signer = {.pkey = pkey, .der = g_bytes_new(der, (gsize)size)};
    OPENSSL_free(der);
    signer.key = ima_key_parse_public(bytes_of_gbytes(signer.der), NULL);
    assert_non_null(signer.key);
    return signer;
}

static void free_signer(Signer *signer)
{
    EVP_PKEY_free(signer->pkey);
    g_bytes_unref(signer->der);
    ima_key_unref(signer->key);
}

static int make_keys(void **state)
{
    rsa = new_signer(EVP_RSA_gen(2048));
    ec = new_signer(EVP_EC_gen("P-256"));
    return 0;
}

static int free_keys(void **state)
{
    free_signer(&rsa);
    free_signer(&ec);
    return 0;
}

/* A signature field over SHA-256 digests. */
static GByteArray *sign(const Signer *signer, uint8_t type, uint8_t version, Bytes digest)
{
    uint8_t bytes[512];
    size_t size = sizeof bytes;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, signer->pkey, NULL);
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    if (ima_key_kind(signer->key) == IMA_KEY_RSA)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_sign(context, bytes, &size, digest.data, digest.size), 1);
    EVP_PKEY_CTX_free(context);
    GByteArray *field = g_byte_array_new();
    append_u8(field, type);
    append_u8(field, version);
    append_u8(field, 4);
    append_u32_be(field, ima_key_id(signer->key));
    append_tpm2b(field, bytes_of(bytes, size));
    return field;
}

static ImaKeyrings *rings_with(const Signer *signer)
{
    ImaKeyrings *rings = ima_keyrings_new();
    ima_keyrings_add(rings, bytes_of_text(".ima"), signer->key);
    return rings;
}

static const uint8_t file_digest[32] = {[0 ... 31] = 0x5a};

static bool verify(const GByteArray *field, ImaDigestType type, const ImaKeyrings *rings,
                   ImaSignatureCache *cache)
{
    ImaSignature signature = {.field = bytes_of_array(field),
                              .algorithm = bytes_of_text("sha256"),
                              .digest_type = type,
                              .digest = BYTES_OF_ARRAY(file_digest)};
    return ima_signature_verify(&signature, rings, cache);
}

static void test_file_signatures(void **state)
{
    const Signer *const signers[] = {&rsa, &ec};
    for (size_t i = 0; i < G_N_ELEMENTS(signers); i++) {
        g_autoptr(ImaKeyrings) rings = rings_with(signers[i]);
        g_autoptr(GByteArray) file = sign(signers[i], 3, 2, BYTES_OF_ARRAY(file_digest));
        g_autoptr(GByteArray) portable = sign(signers[i], 5, 2, BYTES_OF_ARRAY(file_digest));
        assert_true(verify(file, IMA_DIGEST_UNTYPED, rings, NULL));
        assert_true(verify(file, IMA_DIGEST_OF_FILE, rings, NULL));
        assert_false(verify(file, IMA_DIGEST_OF_VERITY, rings, NULL));
        assert_true(verify(portable, IMA_DIGEST_UNTYPED, rings, NULL));
        g_autoptr(ImaKeyrings) none = ima_keyrings_new();
        assert_false(verify(file, IMA_DIGEST_UNTYPED, none, NULL));
        file->data[file->len - 1] ^= 1;
        assert_false(verify(file, IMA_DIGEST_UNTYPED, rings, NULL));
    }
}

static void test_key_of_another_kind_with_the_same_id(void **state)
{
    g_autoptr(ImaKeyrings) rings = rings_with(&ec);
    g_autoptr(GByteArray) field = sign(&rsa, 3, 2, BYTES_OF_ARRAY(file_digest));
    for (unsigned i = 0; i < 4; i++)
        field->data[3 + i] = (uint8_t)(ima_key_id(ec.key) >> (8 * (3 - i)));
    assert_false(verify(field, IMA_DIGEST_UNTYPED, rings, NULL));
}

/* fs-verity: the hash of (type, algorithm, digest) is signed. */
static void test_verity_signatures(void **state)
{
    g_autoptr(ImaKeyrings) rings = rings_with(&rsa);
    uint8_t file_id[34] = {6, 4}, hash[EVP_MAX_MD_SIZE];
    size_t size;
    memcpy(file_id + 2, file_digest, 32);
    assert_true(ima_hash_data(bytes_of_text("sha256"), BYTES_OF_ARRAY(file_id), hash, &size));
    g_autoptr(GByteArray) field = sign(&rsa, 6, 3, bytes_of(hash, size));
    assert_true(verify(field, IMA_DIGEST_OF_VERITY, rings, NULL));
    assert_false(verify(field, IMA_DIGEST_OF_FILE, rings, NULL));
    g_autoptr(GByteArray) direct = sign(&rsa, 6, 3, BYTES_OF_ARRAY(file_digest));
    assert_false(verify(direct, IMA_DIGEST_OF_VERITY, rings, NULL));
    g_autoptr(GByteArray) old = sign(&rsa, 6, 2, bytes_of(hash, size));
    assert_false(verify(old, IMA_DIGEST_OF_VERITY, rings, NULL));
}

static void test_cache_names_everything(void **state)
{
    uint8_t key[32] = {1}, digest[32] = {2}, signature[64] = {3};
    ImaVerification first, other;
    assert_true(ima_verification_name(BYTES_OF_ARRAY(key), 4, BYTES_OF_ARRAY(digest),
                                      BYTES_OF_ARRAY(signature), &first));
    uint8_t *const parts[] = {key, digest, signature};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        parts[i][5] ^= 1;
        assert_true(ima_verification_name(BYTES_OF_ARRAY(key), 4, BYTES_OF_ARRAY(digest),
                                          BYTES_OF_ARRAY(signature), &other));
        assert_memory_not_equal(&first, &other, sizeof first);
        parts[i][5] ^= 1;
    }
    /* A byte that moves from one part to the next is another verification. */
    assert_true(ima_verification_name(BYTES_OF_ARRAY(key), 4, bytes_of(digest, 31),
                                      bytes_of(signature, 64), &other));
    assert_memory_not_equal(&first, &other, sizeof first);
    static uint8_t large[4096];
    assert_false(ima_verification_name(BYTES_OF_ARRAY(key), 4, BYTES_OF_ARRAY(digest),
                                       BYTES_OF_ARRAY(large), &other));
    assert_false(ima_verification_name(bytes_of(key, 31), 4, BYTES_OF_ARRAY(digest),
                                       BYTES_OF_ARRAY(signature), &other));
}

static void test_cache_keeps_what_verified(void **state)
{
    g_autoptr(ImaSignatureCache) cache = ima_signature_cache_new(64);
    g_autoptr(ImaKeyrings) rings = rings_with(&ec);
    g_autoptr(GByteArray) field = sign(&ec, 3, 2, BYTES_OF_ARRAY(file_digest));
    assert_true(verify(field, IMA_DIGEST_UNTYPED, rings, cache));
    assert_true(verify(field, IMA_DIGEST_UNTYPED, rings, cache));
    ImaSignatureCacheUse use = ima_signature_cache_use(cache);
    assert_int_equal(use.hits, 1);
    assert_int_equal(use.misses, 1);
    /* A failure is never remembered, and a key that is gone verifies nothing. */
    field->data[field->len - 1] ^= 1;
    assert_false(verify(field, IMA_DIGEST_UNTYPED, rings, cache));
    assert_false(verify(field, IMA_DIGEST_UNTYPED, rings, cache));
    assert_int_equal(ima_signature_cache_use(cache).hits, 1);
    field->data[field->len - 1] ^= 1;
    g_autoptr(ImaKeyrings) none = ima_keyrings_new();
    assert_false(verify(field, IMA_DIGEST_UNTYPED, none, cache));
}

static ImaVerification numbered(uint64_t bucket, uint8_t number)
{
    ImaVerification verification = {{0}};
    memcpy(verification.sha256, &bucket, sizeof bucket);
    verification.sha256[31] = number;
    return verification;
}

static void test_cache_is_bounded(void **state)
{
    g_autoptr(ImaSignatureCache) cache = ima_signature_cache_new(1);
    size_t memory = ima_signature_cache_use(cache).memory;
    for (uint8_t i = 1; i <= 4; i++) {
        ImaVerification one = numbered(0, i);
        ima_signature_cache_add(cache, &one);
    }
    /* The first is asked for, so the second is the oldest when a fifth comes. */
    ImaVerification first = numbered(0, 1), second = numbered(0, 2), fifth = numbered(0, 5);
    assert_true(ima_signature_cache_holds(cache, &first));
    ima_signature_cache_add(cache, &fifth);
    assert_true(ima_signature_cache_holds(cache, &first));
    assert_true(ima_signature_cache_holds(cache, &fifth));
    assert_false(ima_signature_cache_holds(cache, &second));
    assert_int_equal(ima_signature_cache_use(cache).memory, memory);
}

static gpointer use_cache(gpointer data)
{
    for (unsigned i = 0; i < 20000; i++) {
        ImaVerification one = numbered(i % 97, (uint8_t)(1 + i % 13));
        if (!ima_signature_cache_holds(data, &one))
            ima_signature_cache_add(data, &one);
    }
    return NULL;
}

static void test_cache_is_shared(void **state)
{
    g_autoptr(ImaSignatureCache) cache = ima_signature_cache_new(256);
    GThread *threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("cache", use_cache, cache);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    ImaSignatureCacheUse use = ima_signature_cache_use(cache);
    assert_int_equal(use.hits + use.misses, 4 * 20000);
}

/* --- in lists -------------------------------------------------------------------------------- */

static void add_signed(MadeList *list, const Signer *signer, const char *path)
{
    g_autoptr(GByteArray) field = sign(signer, 3, 2, BYTES_OF_ARRAY(file_digest));
    g_autofree char *hex = hex_encode(bytes_of_array(field));
    g_autofree char *rest =
        g_strdup_printf("ima-sig sha256:%s %s %s", made_digest(0x5a), path, hex);
    made_list_add(list, rest);
}

static char *key_digest(const Signer *signer)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size;
    ima_hash_data(bytes_of_text("sha256"), bytes_of_gbytes(signer->der), digest, &size);
    return hex_encode(bytes_of(digest, size));
}

static RuntimePolicy *policy_with_ring(const Signer *signer)
{
    g_autofree char *digest = key_digest(signer);
    g_autofree char *ring = g_strdup_printf("\".ima\":[\"%s\"]", digest);
    return made_policy("", "\".ima\"", ring, "");
}

static char *appraise(const ImaInput *input, ImaState *state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    ima_appraise(input, state, verdict, NULL);
    return events_of(verdict);
}

static void test_keys_are_learned_and_kept(void **state)
{
    g_autoptr(MadeList) list = made_list_new();
    g_autoptr(RuntimePolicy) policy = policy_with_ring(&rsa);
    made_list_add_file(list, "boot_aggregate", 0xba);
    made_list_add_buffer(list, ".ima", bytes_of_gbytes(rsa.der));
    ImaInput input = made_list_input(list, policy);
    g_autoptr(ImaState) memory = ima_state_new();
    g_autofree char *learning = appraise(&input, memory);
    assert_string_equal(learning, "");
    g_autofree char *text = ima_state_to_text(memory);
    g_autoptr(ImaState) again = ima_state_from_text(bytes_of_text(text), NULL);
    size_t before = list->text->len;
    add_signed(list, &rsa, "/bin/a");
    input = made_list_input(list, policy);
    input.list = bytes_of(list->text->str + before, list->text->len - before);
    g_autofree char *later = appraise(&input, again);
    assert_string_equal(later, "");
    g_autoptr(ImaState) unknowing = ima_state_copy(again);
    ima_keyrings_free(unknowing->learned);
    unknowing->learned = ima_keyrings_new();
    g_autofree char *fails = appraise(&input, unknowing);
    assert_true(*fails != '\0');
}

/* A key beyond the quote vouches for nothing, nor does one whose digest is another's, nor one that
 * only an exclude pattern lets through. */
static void test_keys_that_are_not_learned(void **state)
{
    g_autoptr(MadeList) list = made_list_new();
    g_autoptr(RuntimePolicy) policy = policy_with_ring(&rsa);
    made_list_add_file(list, "boot_aggregate", 0xba);
    uint8_t quoted[32];
    memcpy(quoted, list->pcr, 32);
    made_list_add_buffer(list, ".ima", bytes_of_gbytes(rsa.der));
    add_signed(list, &rsa, "/bin/a");
    ImaInput input = made_list_input(list, policy);
    input.quoted = BYTES_OF_ARRAY(quoted);
    g_autofree char *beyond = appraise(&input, NULL);
    assert_string_equal(beyond, "ima.validation.ima-ng.not_in_allowlist");
    input.quoted = bytes_of(list->pcr, 32);
    g_autofree char *covered = appraise(&input, NULL);
    assert_string_equal(covered, "");

    g_autoptr(MadeList) planted = made_list_new();
    made_list_add_file(planted, "boot_aggregate", 0xba);
    g_autofree char *digest = key_digest(&rsa);
    g_autofree char *other = hex_encode(bytes_of_gbytes(ec.der));
    g_autofree char *rest = g_strdup_printf("ima-buf sha256:%s .ima %s", digest, other);
    made_list_add(planted, rest);
    add_signed(planted, &ec, "/bin/a");
    input = made_list_input(planted, policy);
    g_autofree char *refused = appraise(&input, NULL);
    assert_string_equal(refused, "ima.validation.ima-buf.invalid_data "
                                 "ima.validation.ima-ng.not_in_allowlist");

    g_autoptr(MadeList) excluded = made_list_new();
    made_list_add_file(excluded, "boot_aggregate", 0xba);
    made_list_add_buffer(excluded, ".ima", bytes_of_gbytes(ec.der));
    input = made_list_input(excluded, policy);
    g_autofree char *unlisted = appraise(&input, NULL);
    assert_string_equal(unlisted, "ima.validation.ima-ng.runtime_policy_hash");
}

static void test_keys_of_the_enrolment(void **state)
{
    g_autoptr(MadeList) list = made_list_new();
    g_autoptr(RuntimePolicy) policy = made_policy("", "", "", "");
    made_list_add_file(list, "boot_aggregate", 0xba);
    add_signed(list, &ec, "/bin/a");
    ImaInput input = made_list_input(list, policy);
    g_autoptr(Verdict) verdict = verdict_new();
    ima_appraise(&input, NULL, verdict, NULL);
    g_autofree char *without = verdict_summary(verdict);
    assert_string_equal(without,
                        "IMA entry 2: /bin/a is not listed in the policy's digests, and no "
                        "known key verifies its signature");
    g_autoptr(ImaKeyring) keys = ima_keyring_new();
    ima_keyring_add(keys, ec.key);
    input.keys = keys;
    g_autofree char *with = appraise(&input, NULL);
    assert_string_equal(with, "");
    input.without_keyrings = true;
    g_autofree char *one_shot = appraise(&input, NULL);
    assert_string_equal(one_shot, "ima.validation.ima-ng.not_in_allowlist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_signatures),
        cmocka_unit_test(test_key_of_another_kind_with_the_same_id),
        cmocka_unit_test(test_verity_signatures),
        cmocka_unit_test(test_cache_names_everything),
        cmocka_unit_test(test_cache_keeps_what_verified),
        cmocka_unit_test(test_cache_is_bounded),
        cmocka_unit_test(test_cache_is_shared),
        cmocka_unit_test(test_keys_are_learned_and_kept),
        cmocka_unit_test(test_keys_that_are_not_learned),
        cmocka_unit_test(test_keys_of_the_enrolment),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
