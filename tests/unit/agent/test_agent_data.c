/* SPDX-License-Identifier: Apache-2.0 */
/* agent_data.json: format and rules of reuse (push-agent §5.3, decision D94). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent_data.h"
#include "agent/software_tpm.h"
#include "agent/tpm_software.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static const KeyTemplate ecc = {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256};

static const char sample[] = "{\n"
                             "  \"ak_hash_alg\": \"Sha256\",\n"
                             "  \"ak_sign_alg\": \"RsaSsa\",\n"
                             "  \"ak_public\": [\n    0,\n    1\n  ],\n"
                             "  \"ak_private\": [\n    255\n  ],\n"
                             "  \"ek_hash\": [\n    52,\n    102\n  ]\n"
                             "}\n";

static void test_format_is_kept(void **state)
{
    (void)state;
    g_auto(AgentData) data = {0};
    assert_true(agent_data_parse(bytes_of_text(sample), &data, NULL));
    assert_int_equal(data.hash, TPM_ALG_SHA256);
    assert_int_equal(data.scheme, TPM_ALG_RSASSA);
    assert_string_equal(data.ek_hash, "4f");
    g_autofree char *text = agent_data_write(&data);
    assert_string_equal(text, sample);
}

static void test_damaged_files_are_refused(void **state)
{
    (void)state;
    static const char *const damages[][2] = {
        {"Sha256", "Sha257"}, {"RsaSsa", "Hmac"},  {"255", "256"},   {"255", "-1"},
        {"255", "\"1\""},     {"ak_private", "x"}, {"ek_hash", "y"}, {"}", ""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_auto(GStrv) parts = g_strsplit(sample, damages[i][0], 2);
        g_autofree char *text = g_strjoinv(damages[i][1], parts);
        g_auto(AgentData) data = {0};
        g_autoptr(GError) error = NULL;
        assert_false(agent_data_parse(bytes_of_text(text), &data, &error));
        assert_true(error->domain == AGENT_DATA_ERROR);
    }
}

typedef struct {
    char *directory, *path;
    TpmDevice *device;
    TpmPublic *ek;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->directory = g_dir_make_tmp("keylime-agent-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "agent_data.json", NULL);
    fixture->device = tpm_software_open(fixture->directory, &ecc, NULL);
    g_autoptr(GBytes) ek = tpm_device_ek_public(fixture->device, NULL);
    fixture->ek = tpm_public_from_tpmt(bytes_of_gbytes(ek), NULL);
    *state = fixture;
    return fixture->ek ? 0 : -1;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    tpm_device_close(fixture->device);
    tpm_public_free(fixture->ek);
    g_autoptr(GDir) directory = g_dir_open(fixture->directory, 0, NULL);
    for (const char *name; (name = g_dir_read_name(directory));) {
        g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
        g_unlink(path);
    }
    g_rmdir(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture->path);
    g_free(fixture);
    return 0;
}

static void test_key_survives_restarts(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(TpmPublic) first =
        agent_data_load_ak(fixture->path, fixture->device, &ecc, fixture->ek, "id-7", NULL);
    assert_non_null(first);
    struct stat status;
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    g_autoptr(TpmDevice) again = tpm_software_open(fixture->directory, &ecc, NULL);
    g_autoptr(TpmPublic) second =
        agent_data_load_ak(fixture->path, again, &ecc, fixture->ek, "id-7", NULL);
    assert_non_null(second);
    assert_true(bytes_equal(tpm_public_name(first), tpm_public_name(second)));
}

static void assert_file_holds(const Fixture *fixture, const char *end, const TpmPublic *ak)
{
    g_autofree char *path = g_strconcat(fixture->path, end, NULL);
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(path, &text, &size, NULL));
    g_auto(AgentData) data = {0};
    assert_true(agent_data_parse(bytes_of(text, size), &data, NULL));
    assert_true(bytes_equal(bytes_of_gbytes(data.ak_public), bytes_of_gbytes(ak->tpmt)));
}

static void test_other_algorithm_makes_a_new_key_and_keeps_the_old_ones(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(TpmPublic) first =
        agent_data_load_ak(fixture->path, fixture->device, &ecc, fixture->ek, "id-7", NULL);
    const KeyTemplate sha384 = {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA384};
    g_autoptr(TpmDevice) other = tpm_software_open(fixture->directory, &sha384, NULL);
    g_autoptr(TpmPublic) second =
        agent_data_load_ak(fixture->path, other, &sha384, fixture->ek, "id-7", NULL);
    assert_non_null(second);
    assert_false(bytes_equal(tpm_public_name(first), tpm_public_name(second)));

    /* And back: the key in between is kept beside the first. */
    g_autoptr(TpmDevice) again = tpm_software_open(fixture->directory, &ecc, NULL);
    g_autoptr(TpmPublic) third =
        agent_data_load_ak(fixture->path, again, &ecc, fixture->ek, "id-7", NULL);
    assert_non_null(third);
    assert_file_holds(fixture, ".bak", first);
    assert_file_holds(fixture, ".bak.1", second);
    assert_file_holds(fixture, "", third);
}

static void test_damage_never_means_a_new_key(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(TpmPublic) first =
        agent_data_load_ak(fixture->path, fixture->device, &ecc, fixture->ek, "id-7", NULL);
    assert_non_null(first);
    assert_true(g_file_set_contents(fixture->path, "{\"ak_hash_alg\":", -1, NULL));
    g_autoptr(GError) error = NULL;
    assert_null(
        agent_data_load_ak(fixture->path, fixture->device, &ecc, fixture->ek, "id-7", &error));
    assert_true(error->domain == AGENT_DATA_ERROR);
    assert_non_null(strstr(error->message, fixture->path));
    assert_non_null(strstr(error->message, "remove it"));
    assert_non_null(strstr(error->message, "regdelete -u id-7"));
}

static void test_foreign_private_part_is_refused(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(TpmPublic) first =
        agent_data_load_ak(fixture->path, fixture->device, &ecc, fixture->ek, "id-7", NULL);
    assert_non_null(first);
    g_autoptr(SoftwareTpm) stranger = software_tpm_new(&ecc, NULL);
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    g_auto(AgentData) data = {0};
    assert_true(agent_data_parse(bytes_of(text, size), &data, NULL));
    g_autoptr(GBytes) tpmt = NULL;
    g_clear_pointer(&data.ak_private, g_bytes_unref);
    assert_true(software_tpm_create_ak(stranger, &tpmt, &data.ak_private, NULL));
    g_autofree char *mixed = agent_data_write(&data);
    assert_true(g_file_set_contents(fixture->path, mixed, -1, NULL));
    g_autoptr(GError) error = NULL;
    assert_null(
        agent_data_load_ak(fixture->path, fixture->device, &ecc, fixture->ek, "id-7", &error));
    assert_true(error->domain == AGENT_DATA_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_is_kept),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test_setup_teardown(test_key_survives_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_algorithm_makes_a_new_key_and_keeps_the_old_ones,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_never_means_a_new_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_private_part_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
