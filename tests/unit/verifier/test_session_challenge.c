/* SPDX-License-Identifier: Apache-2.0 */
/* Session ids and challenges made from the server key (decision D31). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/secret.h"
#include "verifier/session/challenge.h"

#include <string.h>

#define AGENT "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"

static const Timestamp expires = G_GINT64_CONSTANT(1795500000) * TIMESTAMP_SECOND + 500000;

static ServerKeySet key_set(uint8_t first, uint8_t second)
{
    ServerKeySet keys = {.count = second ? 2 : 1};
    memset(keys.secret[0], first, SERVER_KEY_SIZE);
    memset(keys.secret[1], second, SERVER_KEY_SIZE);
    return keys;
}

static void an_id_is_a_uuid_and_brings_its_challenge_back(void **state)
{
    ServerKeySet keys = key_set(1, 0);
    SessionChallenge made, found;
    for (unsigned i = 0; i < 200; i++) {
        session_challenge_make(keys.secret[0], AGENT, expires, &made);
        g_autofree char *canonical = uuid_normalise(made.id);
        assert_string_equal(made.id, canonical);
        assert_int_equal(made.id[14], '4');
        assert_non_null(strchr("89ab", made.id[19]));
        assert_int_equal(session_challenge_check(&keys, made.id, AGENT, &found),
                         SESSION_ID_GENUINE);
        assert_int_equal(found.expires, expires);
        assert_string_equal(found.id, made.id);
        assert_memory_equal(found.challenge, made.challenge, SESSION_CHALLENGE_SIZE);
    }
}

static void the_expiry_is_kept_to_a_fraction_of_a_second(void **state)
{
    ServerKeySet keys = key_set(1, 0);
    SessionChallenge made;
    for (gint64 fraction = 0; fraction < TIMESTAMP_SECOND; fraction += 9973) {
        session_challenge_make(keys.secret[0], AGENT, expires + fraction, &made);
        assert_true(made.expires <= expires + fraction);
        assert_true(made.expires > expires + fraction - TIMESTAMP_SECOND / 256 - 1);
    }
}

static void challenges_differ(void **state)
{
    ServerKeySet keys = key_set(1, 0);
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        SessionChallenge made;
        session_challenge_make(keys.secret[0], AGENT, expires, &made);
        g_hash_table_add(seen, g_bytes_new(made.challenge, SESSION_CHALLENGE_SIZE));
    }
    /* 20 random bits within one step of the clock: a few repetitions are none of our business. */
    assert_true(g_hash_table_size(seen) > 990);
}

static void an_id_of_another_agent_is_told_from_a_made_up_one(void **state)
{
    ServerKeySet keys = key_set(1, 0);
    SessionChallenge made, found;
    session_challenge_make(keys.secret[0], AGENT, expires, &made);
    assert_int_equal(session_challenge_check(&keys, made.id, "other", &found),
                     SESSION_ID_OTHER_AGENT);
    ServerKeySet foreign = key_set(2, 3);
    assert_int_equal(session_challenge_check(&foreign, made.id, AGENT, &found), SESSION_ID_UNKNOWN);
}

static void every_changed_digit_is_noticed(void **state)
{
    ServerKeySet keys = key_set(1, 0);
    SessionChallenge made, found;
    session_challenge_make(keys.secret[0], AGENT, expires, &made);
    for (size_t i = 0; i < SESSION_ID_LENGTH; i++) {
        char changed[SESSION_ID_LENGTH + 1];
        memcpy(changed, made.id, sizeof changed);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_int_not_equal(session_challenge_check(&keys, changed, AGENT, &found),
                             SESSION_ID_GENUINE);
    }
}

static void the_previous_key_still_checks(void **state)
{
    ServerKeySet old = key_set(1, 0), rotated = key_set(2, 1), later = key_set(3, 2);
    SessionChallenge made, found;
    session_challenge_make(old.secret[0], AGENT, expires, &made);
    assert_int_equal(session_challenge_check(&rotated, made.id, AGENT, &found), SESSION_ID_GENUINE);
    assert_memory_equal(found.challenge, made.challenge, SESSION_CHALLENGE_SIZE);
    assert_int_equal(session_challenge_check(&later, made.id, AGENT, &found), SESSION_ID_UNKNOWN);
}

static void texts_that_are_no_ids(void **state)
{
    ServerKeySet keys = key_set(1, 0);
    SessionChallenge found;
    static const char *const texts[] = {
        "",
        "abc",
        "00000000-0000-4000-8000-00000000dead",
        "000000000000000000000000000000000000",
        "{0000000-0000-4000-8000-00000000dea}",
        "0000000000004000800000000000dead",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_int_equal(session_challenge_check(&keys, texts[i], AGENT, &found),
                         SESSION_ID_UNKNOWN);
    SessionChallenge made;
    session_challenge_make(keys.secret[0], AGENT, expires, &made);
    g_autofree char *upper = g_ascii_strup(made.id, -1);
    assert_int_equal(session_challenge_check(&keys, upper, AGENT, &found), SESSION_ID_GENUINE);
    assert_string_equal(found.id, made.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_a_uuid_and_brings_its_challenge_back),
        cmocka_unit_test(the_expiry_is_kept_to_a_fraction_of_a_second),
        cmocka_unit_test(challenges_differ),
        cmocka_unit_test(an_id_of_another_agent_is_told_from_a_made_up_one),
        cmocka_unit_test(every_changed_digit_is_noticed),
        cmocka_unit_test(the_previous_key_still_checks),
        cmocka_unit_test(texts_that_are_no_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
