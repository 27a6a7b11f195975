/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime policy may hold, where an error points, and what the compiled form then answers.
 */
#include "policy/runtime_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHA1_HEX "0123456789abcdef0123456789abcdef01234567"
#define SHA256_HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const uint8_t value[32] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
                                  0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                  0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

/* Members of a small complete policy; NULL stands for the default of each. */
typedef struct {
    const char *meta, *release, *digests, *excludes, *keyrings, *ima, *ima_buf, *keys;
} Members;

static const char *or_default(const char *text, const char *standard)
{
    return text ? text : standard;
}

static char *policy_text(Members m)
{
    return g_strdup_printf(
        "{\"meta\":%s,\"release\":%s,\"digests\":%s,\"excludes\":%s,\"keyrings\":%s,\"ima\":%s,"
        "\"ima-buf\":%s,\"verification-keys\":%s}",
        or_default(m.meta, "{\"version\":1,\"generator\":1}"), or_default(m.release, "0"),
        or_default(m.digests, "{}"), or_default(m.excludes, "[]"), or_default(m.keyrings, "{}"),
        or_default(m.ima,
                   "{\"ignored_keyrings\":[],\"log_hash_alg\":\"sha256\",\"dm_policy\":null}"),
        or_default(m.ima_buf, "{}"), or_default(m.keys, "\"\""));
}

static RuntimePolicy *parse(Members members, GError **error)
{
    g_autofree char *text = policy_text(members);
    return runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, error);
}

static RuntimePolicy *parsed(Members members)
{
    g_autoptr(GError) error = NULL;
    RuntimePolicy *policy = parse(members, &error);
    assert_null(error);
    return policy;
}

static RuntimePolicyMatch match(const RuntimePolicy *policy, const char *name, size_t digest_size)
{
    return runtime_policy_match(policy, RUNTIME_POLICY_DIGESTS, bytes_of_text(name),
                                bytes_of(value, digest_size));
}

static void test_matching(void **state)
{
    g_autoptr(RuntimePolicy) policy = parsed((Members){
        .digests = "{\"/a\":[\"" SHA1_HEX "\",\"" SHA256_HEX "\",\"" SHA256_HEX "\"],"
                   "\"\":[\"" SHA1_HEX "\"],\"/odd\":[\"" SHA1_HEX "0\",\"" SHA1_HEX "\\n\"]}",
        .keyrings = "{\".ima\":[\"" SHA256_HEX "\"]}"});
    assert_int_equal(match(policy, "/a", 20), RUNTIME_POLICY_MATCH);
    assert_int_equal(match(policy, "/a", 32), RUNTIME_POLICY_MATCH);
    assert_int_equal(match(policy, "/a", 24), RUNTIME_POLICY_OTHER_DIGEST);
    assert_int_equal(match(policy, "/a", 0), RUNTIME_POLICY_OTHER_DIGEST);
    assert_int_equal(match(policy, "/A", 20), RUNTIME_POLICY_NO_SUCH_NAME);
    assert_int_equal(match(policy, "", 20), RUNTIME_POLICY_MATCH);
    assert_int_equal(match(policy, "/odd", 20), RUNTIME_POLICY_OTHER_DIGEST);
    assert_int_equal(match(policy, ".ima", 32), RUNTIME_POLICY_NO_SUCH_NAME);
    assert_int_equal(runtime_policy_match(policy, RUNTIME_POLICY_KEYRINGS, bytes_of_text(".ima"),
                                          BYTES_OF_ARRAY(value)),
                     RUNTIME_POLICY_MATCH);
    assert_int_equal(runtime_policy_size(policy, RUNTIME_POLICY_DIGESTS), 3);
    g_auto(GStrv) expected =
        runtime_policy_expected(policy, RUNTIME_POLICY_DIGESTS, bytes_of_text("/a"), 100);
    assert_string_equal(expected[0], SHA1_HEX);
    assert_string_equal(expected[1], SHA256_HEX);
    assert_null(expected[2]);
}

/* A path with a NUL is a path of its own: neither it nor the part before it stands for the other.
 */
static void test_nul_in_a_name(void **state)
{
    g_autoptr(RuntimePolicy) policy = parsed((Members){
        .digests = "{\"/a\\u0000b\":[\"" SHA256_HEX "\"],"
                   "\"/c\\\\u0000\":[\"" SHA256_HEX "\"],\"\\ufdd0\":[\"" SHA1_HEX "\"]}"});
    Bytes digest = BYTES_OF_ARRAY(value);
    assert_int_equal(match(policy, "/a", 32), RUNTIME_POLICY_NO_SUCH_NAME);
    assert_int_equal(match(policy, "/c\\u0000", 32), RUNTIME_POLICY_MATCH);
    assert_int_equal(match(policy, "\xef\xb7\x90", 20), RUNTIME_POLICY_MATCH);
    assert_int_equal(
        runtime_policy_match(policy, RUNTIME_POLICY_DIGESTS, bytes_of("/a\0b", 4), digest),
        RUNTIME_POLICY_MATCH);
}

static void test_other_members(void **state)
{
    g_autoptr(RuntimePolicy) policy = parsed((Members){
        .meta = "{\"version\":2.0,\"generator\":3,\"more\":null}",
        .excludes = "[\"/tmp/.*\"]",
        .ima = "{\"ignored_keyrings\":[\".evm\"],\"log_hash_alg\":\"sha384\",\"dm_policy\":"
               "{\"version\":1,\"match_on\":\"uuid\",\"rules\":{}}}"});
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    assert_true(runtime_policy_is_excluded(policy, scratch, bytes_of_text("/tmp/x")));
    assert_false(runtime_policy_is_excluded(policy, scratch, bytes_of_text("/usr/tmp/x")));
    assert_true(runtime_policy_ignores_keyring(policy, bytes_of_text(".evm")));
    assert_false(runtime_policy_ignores_keyring(policy, bytes_of_text(".ima")));
    assert_int_equal(runtime_policy_log_hash_alg(policy), TPM_ALG_SHA384);
    assert_int_equal(runtime_policy_generator(policy), 3);
    assert_string_equal(runtime_policy_dm_policy(policy),
                        "{\"version\":1,\"match_on\":\"uuid\",\"rules\":{}}");
    assert_null(runtime_policy_verification_keys(policy));
    assert_int_equal(strlen(runtime_policy_checksum(policy)), 64);
    g_autoptr(RuntimePolicy) shared = runtime_policy_ref(policy);
    assert_ptr_equal(shared, policy);
}

/* Decision D50: content counts, not who wrote the policy. */
static void test_when_ima_is_wanted(void **state)
{
    static const struct {
        Members members;
        bool wanted;
    } cases[] = {
        {{NULL}, false},
        {{.meta = "{\"version\":1,\"generator\":2}"}, true},
        {{.digests = "{\"/a\":[\"" SHA1_HEX "\"]}"}, true},
        {{.keyrings = "{\"/a\":[\"" SHA1_HEX "\"]}"}, true},
        {{.ima_buf = "{\"/a\":[\"" SHA1_HEX "\"]}"}, true},
        {{.excludes = "[\"/a\"]"}, true},
        {{.keys = "\"{\\\"pubkeys\\\":[\\\"AAAA\\\"],\\\"keyids\\\":[]}\""}, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(RuntimePolicy) policy = parsed(cases[i].members);
        assert_int_equal(runtime_policy_wants_ima(policy), cases[i].wanted);
    }
}

/* The message leads to the member. */
static void test_errors_name_the_member(void **state)
{
    static const struct {
        Members members;
        const char *begins;
    } cases[] = {
        {{.meta = "[]"}, "meta: "},
        {{.meta = "{\"generator\":1}"}, "meta.version: "},
        {{.meta = "{\"version\":true,\"generator\":1}"}, "meta.version: "},
        {{.meta = "{\"version\":1,\"generator\":4}"}, "meta.generator: "},
        {{.meta = "{\"version\":1,\"generator\":1,\"timestamp\":null}"}, "meta.timestamp: "},
        {{.release = "-1"}, "release: "},
        {{.release = "1.5"}, "release: "},
        {{.digests = "[]"}, "digests: "},
        {{.digests = "{\"/usr/bin/x\":\"" SHA1_HEX "\"}"}, "digests./usr/bin/x: "},
        {{.digests = "{\"/usr/bin/x\":[]}"}, "digests./usr/bin/x: "},
        {{.digests =
              "{\"/usr/bin/x\":[\"" SHA1_HEX "\",\"" SHA256_HEX "\",\"sha1:" SHA1_HEX "\"]}"},
         "digests./usr/bin/x[2]: "},
        {{.keyrings = "{\".ima\":[5]}"}, "keyrings..ima[0]: "},
        {{.ima_buf = "null"}, "ima-buf: "},
        {{.excludes = "[\"/a\",5]"}, "excludes[1]: "},
        {{.excludes = "[\"/a\",\"/b(\"]"}, "excludes[1]: missing ), unterminated subpattern"},
        {{.excludes = "[\"\"]"}, "excludes[0]: empty"},
        {{.excludes = "[\"/(a+)+$\"]"}, "excludes[0]: too costly"},
        {{.ima = "{}"}, "ima.ignored_keyrings: "},
        {{.ima = "{\"ignored_keyrings\":[],\"log_hash_alg\":\"md5\",\"dm_policy\":null}"},
         "ima.log_hash_alg: "},
        {{.ima = "{\"ignored_keyrings\":[],\"log_hash_alg\":\"sm3_256\",\"dm_policy\":null}"},
         "ima.log_hash_alg: "},
        {{.ima = "{\"ignored_keyrings\":[],\"log_hash_alg\":\"sha1\"}"}, "ima.dm_policy: "},
        {{.ima = "{\"ignored_keyrings\":[],\"log_hash_alg\":\"sha1\",\"dm_policy\":{\"version\":1,"
                 "\"match_on\":\"name\",\"rules\":{\"root\":{\"table_load\":{\"targets\":["
                 "{\"target_name\":\"linear(\"}]}}}}}"},
         "ima.dm_policy.rules.root.table_load.targets[0].target_name: missing )"},
        {{.ima =
              "{\"ignored_keyrings\":[],\"log_hash_alg\":\"sha1\",\"dm_policy\":{\"version\":2}}"},
         "ima.dm_policy.version: "},
        {{.keys = "\"x\""}, "verification-keys: "},
        {{.keys = "\"{}\""}, "verification-keys: "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(RuntimePolicy) policy = parse(cases[i].members, &error);
        assert_null(policy);
        if (!g_str_has_prefix(error->message, cases[i].begins))
            fail_msg("%s does not begin with %s", error->message, cases[i].begins);
    }
}

static void test_no_policy_at_all(void **state)
{
    static const char *const texts[] = {"",   "null", "[]",      "\"{}\"",
                                        "{}", "{",    "{} more", "{\"payload\":\"!\"}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(
            runtime_policy_parse(bytes_of_text(texts[i]), &runtime_policy_rules_upstream, &error));
        assert_non_null(error);
    }
}

/* Upstream's rules keep what ours refuse: patterns that are out of use, and no dm_policy. */
static void test_upstream_rules(void **state)
{
    g_autofree char *broken = policy_text((Members){.excludes = "[\"/a\",\"[\"]"});
    g_autofree char *dm = policy_text(
        (Members){.ima = "{\"ignored_keyrings\":[],\"log_hash_alg\":\"sha1\",\"dm_policy\":"
                         "{\"version\":1,\"match_on\":\"uuid\",\"rules\":{}}}"});
    g_autoptr(RuntimePolicy) policy =
        runtime_policy_parse(bytes_of_text(broken), &runtime_policy_rules_upstream, NULL);
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    assert_non_null(policy);
    assert_non_null(runtime_policy_excludes_error(policy));
    assert_false(runtime_policy_is_excluded(policy, scratch, bytes_of_text("/a")));
    assert_null(runtime_policy_parse(bytes_of_text(dm), &runtime_policy_rules_upstream, NULL));
}

static void test_envelope(void **state)
{
    g_autofree char *text = policy_text((Members){.release = "7"});
    g_autofree char *payload = g_base64_encode((const guchar *)text, strlen(text));
    g_autofree char *envelope =
        g_strdup_printf("{\"payload\":\"%s\",\"payloadType\":\"t\",\"signatures\":[]}", payload);
    g_autoptr(RuntimePolicy) plain =
        runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, NULL);
    g_autoptr(RuntimePolicy) unwrapped =
        runtime_policy_parse(bytes_of_text(envelope), &runtime_policy_rules_default, NULL);
    assert_non_null(plain);
    assert_non_null(unwrapped);
    /* The checksum is that of the text as it was given. */
    assert_string_not_equal(runtime_policy_checksum(plain), runtime_policy_checksum(unwrapped));
    g_autofree char *twice_payload = g_base64_encode((const guchar *)envelope, strlen(envelope));
    g_autofree char *twice = g_strdup_printf("{\"payload\":\"%s\"}", twice_payload);
    assert_null(runtime_policy_parse(bytes_of_text(twice), &runtime_policy_rules_default, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_nul_in_a_name),
        cmocka_unit_test(test_other_members),
        cmocka_unit_test(test_when_ima_is_wanted),
        cmocka_unit_test(test_errors_name_the_member),
        cmocka_unit_test(test_no_policy_at_all),
        cmocka_unit_test(test_upstream_rules),
        cmocka_unit_test(test_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
