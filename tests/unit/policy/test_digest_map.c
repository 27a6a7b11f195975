/* SPDX-License-Identifier: Apache-2.0 */
/* The packed map: whatever is put in is found, and nothing else. */
#include "policy/digest_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A digest of `size` bytes that a number makes. */
static Bytes digest_of(uint64_t number, size_t size, uint8_t out[64])
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)((number + 1) * 0x9e3779b97f4a7c15 >> (i % 8 * 8));
    memcpy(out, &number, MIN(size, sizeof number));
    return bytes_of(out, size);
}

static void test_empty(void **state)
{
    g_autoptr(DigestMapBuilder) builder = digest_map_builder_new();
    g_autoptr(DigestMap) map = digest_map_build(builder);
    g_auto(GStrv) none = digest_map_digests(map, BYTES_EMPTY, 10);
    assert_int_equal(digest_map_size(map), 0);
    assert_int_equal(digest_map_find(map, BYTES_EMPTY, BYTES_EMPTY), DIGEST_MAP_NO_NAME);
    assert_null(none[0]);
}

static void test_names_of_all_lengths(void **state)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    g_autoptr(DigestMapBuilder) builder = digest_map_builder_new();
    uint8_t digest[64];
    for (size_t length = 0; length < sizeof text; length++) {
        digest_map_builder_name(builder, bytes_of(text, length));
        digest_map_builder_digest(builder, digest_of(length, 20 + length % 45, digest));
    }
    g_autoptr(DigestMap) map = digest_map_build(builder);
    assert_int_equal(digest_map_size(map), sizeof text);
    for (size_t length = 0; length < sizeof text; length++) {
        Bytes name = bytes_of(text, length), own = digest_of(length, 20 + length % 45, digest);
        assert_int_equal(digest_map_find(map, name, own), DIGEST_MAP_FOUND);
        assert_int_equal(digest_map_find(map, name, bytes_of(own.data, own.size - 1)),
                         DIGEST_MAP_OTHER_DIGEST);
        digest[3] ^= 1;
        assert_int_equal(digest_map_find(map, name, own), DIGEST_MAP_OTHER_DIGEST);
    }
    assert_int_equal(digest_map_find(map, bytes_of_text("abd"), BYTES_EMPTY), DIGEST_MAP_NO_NAME);
}

static void test_lengths_lie_beside_each_other(void **state)
{
    static const size_t sizes[] = {32, 20, 64, 48, 32, 20};
    g_autoptr(DigestMapBuilder) builder = digest_map_builder_new();
    uint8_t digest[64];
    digest_map_builder_name(builder, bytes_of_text("none"));
    digest_map_builder_name(builder, bytes_of_text("many"));
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
        digest_map_builder_digest(builder, digest_of(i, sizes[i], digest));
    digest_map_builder_digest(builder, digest_of(0, 32, digest)); /* once more */
    g_autoptr(DigestMap) map = digest_map_build(builder);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
        assert_int_equal(
            digest_map_find(map, bytes_of_text("many"), digest_of(i, sizes[i], digest)),
            DIGEST_MAP_FOUND);
    g_auto(GStrv) all = digest_map_digests(map, bytes_of_text("many"), 100);
    g_auto(GStrv) some = digest_map_digests(map, bytes_of_text("many"), 2);
    assert_int_equal(g_strv_length(all), G_N_ELEMENTS(sizes));
    assert_int_equal(g_strv_length(some), 2);
    assert_int_equal(digest_map_find(map, bytes_of_text("none"), digest_of(0, 32, digest)),
                     DIGEST_MAP_OTHER_DIGEST);
}

/* Design §7: a policy of 100,000 digests takes at most 16 MiB. */
static void test_memory_of_a_large_map(void **state)
{
    enum { NAMES = 100000 };
    g_autoptr(DigestMapBuilder) builder = digest_map_builder_new();
    uint8_t digest[64];
    char name[64];
    for (uint64_t i = 0; i < NAMES; i++) {
        g_snprintf(name, sizeof name, "/usr/lib/x86_64-linux-gnu/of-fifty-characters/%06u",
                   (unsigned)i);
        digest_map_builder_name(builder, bytes_of_text(name));
        digest_map_builder_digest(builder, digest_of(i, 32, digest));
    }
    g_autoptr(DigestMap) map = digest_map_build(builder);
    assert_true(digest_map_memory(map) < 16 * 1024 * 1024);
    assert_int_equal(digest_map_find(map, bytes_of_text(name), digest_of(NAMES - 1, 32, digest)),
                     DIGEST_MAP_FOUND);
}

/* Twenty steps a look-up: a million look-ups in a list that is searched from its beginning would
 * take hours. */
static void test_a_million_digests_for_one_name(void **state)
{
    enum { DIGESTS = 1000000 };
    g_autoptr(DigestMapBuilder) builder = digest_map_builder_new();
    uint8_t digest[64];
    digest_map_builder_name(builder, bytes_of_text("/x"));
    for (uint64_t i = 0; i < DIGESTS; i++)
        digest_map_builder_digest(builder, digest_of(i, 32, digest));
    g_autoptr(DigestMap) map = digest_map_build(builder);
    for (uint64_t i = 0; i < DIGESTS; i++)
        assert_int_equal(digest_map_find(map, bytes_of_text("/x"), digest_of(i, 32, digest)),
                         DIGEST_MAP_FOUND);
    assert_int_equal(digest_map_find(map, bytes_of_text("/x"), digest_of(DIGESTS, 32, digest)),
                     DIGEST_MAP_OTHER_DIGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_names_of_all_lengths),
        cmocka_unit_test(test_lengths_lie_beside_each_other),
        cmocka_unit_test(test_memory_of_a_large_map),
        cmocka_unit_test(test_a_million_digests_for_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
