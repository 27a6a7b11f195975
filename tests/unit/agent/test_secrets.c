/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing secret stays behind in freed memory: passwords, private keys, credentials, tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../wiped.h"
#include "agent/agent_data.h"
#include "agent/message_session.h"
#include "agent/options.h"
#include "agent/settings.h"
#include "agent/software_tpm.h"
#include "agent/tpm_software.h"
#include "base/encoding.h"
#include "tpm/credential.h"

#include <glib/gstdio.h>
#include <string.h>

static const KeyTemplate ecc = {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256};

static int set_up(void **state)
{
    *state = g_dir_make_tmp("keylime-agent-XXXXXX", NULL);
    g_setenv("KEYLIME_DIR", *state, TRUE);
    g_setenv("KEYLIME_AGENT_TPM_OWNERPASSWORD", "hex:c0ffee00c0ffee01", TRUE);
    g_setenv("KEYLIME_AGENT_IAK_PASSWORD", "a password of the IAK", TRUE);
    g_setenv("KEYLIME_AGENT_ENABLE_IAK_IDEVID", "true", TRUE);
    g_autofree char *file = g_build_filename(*state, "agent.conf", NULL);
    g_setenv("KEYLIME_AGENT_CONFIG", file, TRUE);
    return g_file_set_contents(file, "[agent]\n", -1, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    g_autoptr(GDir) directory = g_dir_open(*state, 0, NULL);
    for (const char *name; (name = g_dir_read_name(directory));) {
        g_autofree char *path = g_build_filename(*state, name, NULL);
        g_unlink(path);
    }
    g_rmdir(*state);
    g_free(*state);
    forget_wiped();
    return 0;
}

static void test_passwords(void **state)
{
    (void)state;
    static const uint8_t owner[] = {0xc0, 0xff, 0xee, 0x00, 0xc0, 0xff, 0xee, 0x01};
    g_autoptr(Config) config = config_load(&agent_schema, NULL, NULL);
    assert_non_null(config);
    AgentSettings *settings = settings_new(config, NULL);
    assert_non_null(settings);
    assert_true(
        bytes_equal(bytes_of_gbytes(settings->endorsement_password), BYTES_OF_ARRAY(owner)));
    forget_wiped();
    settings_free(settings);
    assert_int_equal(times_wiped(BYTES_OF_ARRAY(owner)), 1);
    assert_int_equal(times_wiped(bytes_of_text("a password of the IAK")), 1);
    g_clear_pointer(&config, config_free);
    assert_int_equal(times_wiped(bytes_of_text("hex:c0ffee00c0ffee01")), 1);
}

/* The kept EK: as DER, in base64, and as the file's text; written and read. */
static void test_private_key_of_the_software_tpm(void **state)
{
    g_autoptr(TpmDevice) device = tpm_software_open(*state, &ecc, NULL);
    assert_non_null(device);
    g_autofree char *path = g_build_filename(*state, "software_tpm.json", NULL);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autoptr(Json) kept = json_parse(bytes_of_text(text), NULL);
    const char *base64 = json_member_text(kept, "ek_private");
    assert_non_null(base64);
    g_autoptr(GBytes) der = base64_decode(base64);

    forget_wiped();
    g_autoptr(TpmDevice) again = tpm_software_open(*state, &ecc, NULL);
    assert_non_null(again);
    assert_true(times_wiped(bytes_of_gbytes(der)) >= 2);  /* read, and written again */
    assert_true(times_wiped(bytes_of_text(base64)) >= 4); /* file, member; base64, file */
}

static void test_private_part_of_a_software_key(void **state)
{
    g_autofree char *path = g_build_filename(*state, "agent_data.json", NULL);
    g_autoptr(TpmDevice) device = tpm_software_open(*state, &ecc, NULL);
    g_autoptr(GBytes) ek_area = tpm_device_ek_public(device, NULL);
    g_autoptr(TpmPublic) ek = tpm_public_from_tpmt(bytes_of_gbytes(ek_area), NULL);
    forget_wiped();
    g_autoptr(TpmPublic) ak = agent_data_load_ak(path, device, &ecc, ek, "id", NULL);
    assert_non_null(ak);
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(path, &text, &size, NULL));
    g_auto(AgentData) data = {0};
    assert_true(agent_data_parse(bytes_of(text, size), &data, NULL));
    assert_true(times_wiped(bytes_of_gbytes(data.ak_private)) >= 1);
    assert_true(times_wiped(bytes_of_text(text)) >= 1);
}

static void test_activation_credential(void **state)
{
    (void)state;
    static const uint8_t credential[] = "thirty-two bytes of a credential";
    Bytes secret = bytes_of(credential, 32);
    g_autoptr(SoftwareTpm) tpm = software_tpm_new(&ecc, NULL);
    g_autoptr(GBytes) area = NULL;
    g_autoptr(GBytes) private_part = NULL;
    assert_true(software_tpm_create_ak(tpm, &area, &private_part, NULL));
    g_autoptr(GBytes) blob =
        credential_make(software_tpm_ek(tpm), tpm_public_name(software_tpm_ak(tpm)), secret, NULL);
    GBytes *opened = software_tpm_activate(tpm, bytes_of_gbytes(blob), NULL);
    assert_true(bytes_equal(bytes_of_gbytes(opened), secret));
    forget_wiped();
    g_bytes_unref(opened);
    assert_int_equal(times_wiped(secret), 1);
}

static void test_token_in_an_answer(void **state)
{
    (void)state;
    static const char text[] = "{\"data\": {\"attributes\": {\"evaluation\": \"pass\", "
                               "\"token\": \"a-token-that-nobody-else-may-see\"}}}";
    g_autoptr(Json) body = json_parse(bytes_of_text(text), NULL);
    g_autofree char *evaluation = NULL;
    g_autofree char *token = NULL;
    forget_wiped();
    assert_true(session_result_read(body, &evaluation, &token, NULL));
    assert_string_equal(token, "a-token-that-nobody-else-may-see");
    assert_int_equal(times_wiped(bytes_of_text(token)), 1);
    g_autofree char *left = json_to_text(body);
    assert_null(strstr(left, "nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_private_key_of_the_software_tpm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_private_part_of_a_software_key, set_up, tear_down),
        cmocka_unit_test(test_activation_credential),
        cmocka_unit_test(test_token_in_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
