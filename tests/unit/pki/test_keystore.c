/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's file and the little YAML it is made of. */
#include "fixture.h"
#include "pki/keystore.h"
#include "pki/yaml_map.h"

#include <string.h>

static GHashTable *parse(const char *text)
{
    const char *reason = NULL;
    GHashTable *map = yaml_map_parse(text, &reason);
    assert_true((map == NULL) == (reason != NULL));
    return map;
}

static const YamlValue *value(GHashTable *map, const char *name, YamlKind kind)
{
    const YamlValue *found = g_hash_table_lookup(map, name);
    assert_non_null(found);
    assert_int_equal(found->kind, kind);
    return found;
}

/* Each form in which the common YAML library writes these values. */
static void test_yaml_forms(void **state)
{
    g_autoptr(GHashTable) map = parse("---\n"
                                      "# made elsewhere\n"
                                      "block: !!binary |\n"
                                      "  aGVs\n"
                                      "  bG8=\n"
                                      "\n"
                                      "flow: !!binary \"aGVsbG8=\"\n"
                                      "'quoted name': 'a text'\n"
                                      "lastserial: 12\n"
                                      "none: []\n"
                                      "some: [2, '3']\n"
                                      "revoked_keys:\n"
                                      "- '4'\n"
                                      "- 5\n"
                                      "salt: c2FsdA==\r\n");
    assert_non_null(map);
    static const char *const binaries[] = {"block", "flow"};
    for (guint i = 0; i < G_N_ELEMENTS(binaries); i++) {
        const YamlValue *binary = value(map, binaries[i], YAML_BINARY);
        assert_true(bytes_equal(bytes_of_gbytes(binary->bytes), bytes_of_text("hello")));
    }
    assert_string_equal(value(map, "quoted name", YAML_TEXT)->text, "a text");
    assert_string_equal(value(map, "lastserial", YAML_TEXT)->text, "12");
    assert_string_equal(value(map, "salt", YAML_TEXT)->text, "c2FsdA==");
    assert_int_equal(value(map, "none", YAML_LIST)->list->len, 0);
    const GPtrArray *some = value(map, "some", YAML_LIST)->list;
    assert_int_equal(some->len, 2);
    assert_string_equal(some->pdata[1], "3");
    const GPtrArray *revoked = value(map, "revoked_keys", YAML_LIST)->list;
    assert_int_equal(revoked->len, 2);
    assert_string_equal(revoked->pdata[0], "4");
    assert_string_equal(revoked->pdata[1], "5");
}

static void test_yaml_refusals(void **state)
{
    static const char *const bad[] = {
        "just a text",
        "a: {b: c}",
        "a: !!binary aGVsb",
        "a: !!binary |\n  ***\n",
        "a: &anchor x",
        "a: |\n  block\n",
        "a: 'open",
        "a: \"x\\n\"",
        "  indented: x",
        "a: x\na: y",
        ": x",
        "a: [b",
        "a:b",
        "a: !!str x",
        "- a\n- b\n",
        "a: 'x'y'",
    };
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GHashTable) map = parse(bad[i]);
        if (map)
            fail_msg("accepted: %s", bad[i]);
    }
    g_autoptr(GHashTable) empty = parse("");
    assert_int_equal(g_hash_table_size(empty), 0);
}

static char *store_path(const char *directory)
{
    return g_build_filename(directory, "private.yml", NULL);
}

static void test_round_trip(void **state)
{
    g_autofree char *directory = test_directory();
    g_autofree char *path = store_path(directory);
    AuthoritySettings settings = test_settings();
    g_autoptr(Keystore) made = keystore_new(certificate_new_key(&settings, NULL));
    made->last_serial = 41;
    g_ptr_array_add(made->revoked, g_strdup("7"));
    g_hash_table_insert(made->others, g_strdup("server"), g_bytes_new("PEM", 3));
    assert_true(keystore_save(made, path, "correct", NULL));

    g_autoptr(Keystore) read = keystore_load(path, "correct", NULL);
    assert_non_null(read);
    assert_int_equal(EVP_PKEY_eq(made->ca_key, read->ca_key), 1);
    assert_int_equal(read->last_serial, 41);
    assert_int_equal(read->revoked->len, 1);
    assert_string_equal(read->revoked->pdata[0], "7");
    GBytes *other = g_hash_table_lookup(read->others, "server");
    assert_true(bytes_equal(bytes_of_gbytes(other), bytes_of_text("PEM")));

    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_null(strstr(text, "PRIVATE KEY"));
    test_remove(directory);
}

static void refuse(const char *path, const char *password, const char *words, int code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Keystore) keystore = keystore_load(path, password, &error);
    assert_null(keystore);
    assert_true(g_error_matches(error, PKI_ERROR, code));
    if (!strstr(error->message, words) || !strstr(error->message, path))
        fail_msg("%s", error->message);
}

static void test_refusals(void **state)
{
    g_autofree char *directory = test_directory();
    g_autofree char *path = store_path(directory);
    AuthoritySettings settings = test_settings();
    refuse(path, "correct", "No such file", PKI_ERROR_FILE);
    g_autoptr(Keystore) made = keystore_new(certificate_new_key(&settings, NULL));
    assert_true(keystore_save(made, path, "correct", NULL));
    refuse(path, "wrong", "wrong password", PKI_ERROR_MALFORMED);
    refuse(path, "", "wrong password", PKI_ERROR_MALFORMED);

    /* One changed character of the sealed text. */
    g_autofree char *text = NULL;
    gsize size = 0;
    assert_true(g_file_get_contents(path, &text, &size, NULL));
    char *sealed = strstr(text, "|\n  ") + 10;
    *sealed = *sealed == 'M' ? 'N' : 'M';
    assert_true(g_file_set_contents(path, text, -1, NULL));
    refuse(path, "correct", "damaged", PKI_ERROR_MALFORMED);
    assert_true(g_file_set_contents(path, "priv: text\nsalt: x\n", -1, NULL));
    refuse(path, "correct", "lacks", PKI_ERROR_MALFORMED);
    assert_true(g_file_set_contents(path, "priv: !!binary |\n  QUJD\nsalt: x\n", -1, NULL));
    refuse(path, "correct", "damaged", PKI_ERROR_MALFORMED);
    test_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_forms),
        cmocka_unit_test(test_yaml_refusals),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
