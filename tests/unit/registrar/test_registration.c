/* SPDX-License-Identifier: Apache-2.0 */
/* Staged registrations and their proofs on a real database: whose challenges are dropped, whose
 * wrong tags count, what expires. */
#include "base/timestamp.h"
#include "registrar/registrar.h"
#include "registrar/registration.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NEAR "192.0.2.1"
#define FAR "198.51.100.1"

typedef struct {
    char *directory;
    Database *database;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->directory = g_dir_make_tmp("registration-XXXXXX", NULL);
    DatabaseSettings settings = {
        .url = "sqlite",
        .directory = fixture->directory,
        .file_name = "registrar.sqlite",
        .max_connections = 2,
        .migrate = true,
        .migrations = registrar_migrations,
    };
    g_autoptr(GError) error = NULL;
    fixture->database = database_open(&settings, &error);
    if (!fixture->database)
        fail_msg("%s", error->message);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    database_close(fixture->database);
    g_autoptr(GDir) listing = g_dir_open(fixture->directory, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing))) {
        g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
        g_unlink(path);
    }
    g_rmdir(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture);
    return 0;
}

static void stage_as(const Fixture *fixture, const char *ek, const char *tag, const char *peer)
{
    g_auto(AgentIdentity) identity = {
        .ek_tpm = bytes_copy(bytes_of_text(ek)),
        .aik_tpm = bytes_copy(bytes_of_text("ak")),
        .ek_cert_status = g_strdup(EK_CERT_ABSENT),
        .mtls_cert = g_strdup("disabled"),
    };
    g_autoptr(GError) error = NULL;
    if (!registration_stage(fixture->database, "a1", &identity, tag, peer, &error))
        fail_msg("%s", error->message);
}

static void stage(const Fixture *fixture, const char *tag, const char *peer)
{
    stage_as(fixture, "ek", tag, peer);
}

static ActivationResult activate(const Fixture *fixture, const char *tag, const char *peer)
{
    ActivationResult result = ACTIVATION_UNKNOWN;
    g_autoptr(GError) error = NULL;
    if (!registration_activate(fixture->database, "a1", tag, peer, &result, &error))
        fail_msg("%s", error->message);
    return result;
}

static bool shift_work(Connection *connection, gpointer data, GError **error)
{
    gint64 shift = *(gint64 *)data;
    return sql_run(connection, error,
                   "UPDATE registrations SET issued_at = issued_at - $1,"
                   " expires_at = expires_at - $1",
                   "i", shift) &&
           sql_run(connection, error, "UPDATE agents SET activated_at = activated_at - $1", "i",
                   shift);
}

/* As if `seconds` had passed since everything that is stored. */
static void pass_time(const Fixture *fixture, gint64 seconds)
{
    gint64 shift = seconds * TIMESTAMP_SECOND;
    assert_true(database_write(fixture->database, shift_work, &shift, NULL));
}

static void test_unknown(void **state)
{
    assert_int_equal(activate(*state, "tag", NEAR), ACTIVATION_UNKNOWN);
}

static void test_challenge_expires(void **state)
{
    const Fixture *fixture = *state;
    stage(fixture, "early", NEAR);
    pass_time(fixture, 299);
    assert_int_equal(activate(fixture, "early", NEAR), ACTIVATION_DONE);
    stage(fixture, "late", NEAR);
    pass_time(fixture, 301);
    assert_int_equal(activate(fixture, "late", NEAR), ACTIVATION_WRONG_TAG);
}

static void test_repetition_window(void **state)
{
    const Fixture *fixture = *state;
    stage(fixture, "tag", NEAR);
    assert_int_equal(activate(fixture, "tag", NEAR), ACTIVATION_DONE);
    pass_time(fixture, 599);
    assert_int_equal(activate(fixture, "tag", FAR), ACTIVATION_REPEATED);
    pass_time(fixture, 2);
    assert_int_equal(activate(fixture, "tag", NEAR), ACTIVATION_WRONG_TAG);
}

/* Tags sent from elsewhere do not use up the agent's attempts. */
static void test_wrong_tags_of_a_stranger(void **state)
{
    const Fixture *fixture = *state;
    stage(fixture, "tag", NEAR);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(activate(fixture, "wrong", FAR), ACTIVATION_WRONG_TAG);
    assert_int_equal(activate(fixture, "tag", NEAR), ACTIVATION_DONE);
}

static void test_fifth_wrong_tag_drops(void **state)
{
    const Fixture *fixture = *state;
    stage(fixture, "first", NEAR);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(activate(fixture, "wrong", NEAR), ACTIVATION_WRONG_TAG);
    stage(fixture, "second", NEAR);
    assert_int_equal(activate(fixture, "wrong", NEAR), ACTIVATION_WRONG_TAG);
    /* Five against the first, one against the second. */
    assert_int_equal(activate(fixture, "first", NEAR), ACTIVATION_WRONG_TAG);
    assert_int_equal(activate(fixture, "second", NEAR), ACTIVATION_DONE);
}

/* Whoever registers over and over pushes out its own challenges first. */
static void test_flood_of_a_stranger(void **state)
{
    const Fixture *fixture = *state;
    stage(fixture, "own", NEAR);
    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *tag = g_strdup_printf("strange %u", i);
        stage(fixture, tag, FAR);
    }
    assert_int_equal(activate(fixture, "strange 6", FAR), ACTIVATION_WRONG_TAG);
    assert_int_equal(activate(fixture, "own", NEAR), ACTIVATION_DONE);
    assert_int_equal(activate(fixture, "strange 9", FAR), ACTIVATION_DONE); /* the same TPM */
}

static void test_another_tpm_after_activation(void **state)
{
    const Fixture *fixture = *state;
    stage_as(fixture, "ek", "own", NEAR);
    stage_as(fixture, "another", "other", FAR);
    assert_int_equal(activate(fixture, "own", NEAR), ACTIVATION_DONE);
    assert_int_equal(activate(fixture, "other", FAR), ACTIVATION_FORBIDDEN);
    g_auto(AgentLookup) known = {0};
    assert_true(agent_lookup(fixture->database, "a1", &known, NULL));
    assert_int_equal(known.state, AGENT_ACTIVE);
    assert_true(bytes_equal(bytes_of_gbytes(known.record->identity.ek_tpm), bytes_of_text("ek")));
    assert_int_equal(known.record->regcount, 1);
}

static void test_forgotten_after_an_hour(void **state)
{
    const Fixture *fixture = *state;
    stage(fixture, "old", NEAR);
    pass_time(fixture, 300 + 3601);
    g_auto(AgentLookup) before = {0};
    assert_true(agent_lookup(fixture->database, "a1", &before, NULL));
    assert_int_equal(before.state, AGENT_UNPROVEN);
    /* Any later registration sweeps. */
    g_auto(AgentIdentity) identity = {
        .ek_tpm = bytes_copy(bytes_of_text("ek")),
        .aik_tpm = bytes_copy(bytes_of_text("ak")),
        .ek_cert_status = g_strdup(EK_CERT_ABSENT),
        .mtls_cert = g_strdup("disabled"),
    };
    assert_true(registration_stage(fixture->database, "a2", &identity, "tag", NEAR, NULL));
    g_auto(AgentLookup) after = {0};
    assert_true(agent_lookup(fixture->database, "a1", &after, NULL));
    assert_int_equal(after.state, AGENT_UNKNOWN);
}

#define DATABASE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATABASE_TEST(test_unknown),
        DATABASE_TEST(test_challenge_expires),
        DATABASE_TEST(test_repetition_window),
        DATABASE_TEST(test_wrong_tags_of_a_stranger),
        DATABASE_TEST(test_fifth_wrong_tag_drops),
        DATABASE_TEST(test_flood_of_a_stranger),
        DATABASE_TEST(test_another_tpm_after_activation),
        DATABASE_TEST(test_forgotten_after_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
