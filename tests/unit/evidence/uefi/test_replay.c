/* SPDX-License-Identifier: Apache-2.0 */
/* Replay of PCRs: start values of PCR 0, what extends, boot aggregates. */
#include "evidence/uefi/replay.h"

#include "log_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t zeros[4];
static const uint8_t locality3[17] = "StartupLocality\0\x03";

static UefiReplay *replay_of(const GByteArray *bytes)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    g_autoptr(GError) error = NULL;
    if (!uefi_log_parse(bytes_of_array(bytes), &rules, &log, &error))
        fail_msg("%s", error->message);
    return uefi_replay(&log);
}

/* H(start || H(data)) where `start` is zeros but for its last byte. */
static void assert_pcr0(const UefiReplay *replay, uint8_t last_byte, Bytes data)
{
    uint8_t message[64] = {0}, expected[32];
    message[31] = last_byte;
    assert_int_equal(EVP_Digest(data.data, data.size, message + 32, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_Digest(message, sizeof message, expected, NULL, EVP_sha256(), NULL), 1);
    assert_true(bytes_equal(uefi_replay_pcr(replay, TPM_ALG_SHA256, 0), BYTES_OF_ARRAY(expected)));
}

static void test_extends_in_every_bank(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 0, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    g_autofree UefiReplay *replay = replay_of(bytes);
    assert_pcr0(replay, 0, BYTES_OF_ARRAY(zeros));
    assert_int_equal(uefi_replay_bank(replay, TPM_ALG_SHA1)->extended, 1);
    assert_null(uefi_replay_bank(replay, TPM_ALG_SHA384));
    assert_int_equal(uefi_replay_pcr(replay, TPM_ALG_SHA384, 0).size, 0);
    assert_true(bytes_are_zero(uefi_replay_pcr(replay, TPM_ALG_SHA256, 5)));
}

static void test_startup_locality(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 0, EV_NO_ACTION, BYTES_OF_ARRAY(locality3));
    log_builder_add(bytes, 0, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    g_autofree UefiReplay *replay = replay_of(bytes);
    assert_pcr0(replay, 3, BYTES_OF_ARRAY(zeros));
    /* In another PCR it means nothing. */
    g_autoptr(GByteArray) elsewhere = log_builder_new();
    log_builder_add(elsewhere, 1, EV_NO_ACTION, BYTES_OF_ARRAY(locality3));
    log_builder_add(elsewhere, 0, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    g_autofree UefiReplay *plain = replay_of(elsewhere);
    assert_pcr0(plain, 0, BYTES_OF_ARRAY(zeros));
    assert_true(bytes_are_zero(uefi_replay_pcr(plain, TPM_ALG_SHA256, 1)));
}

static void test_locality_after_an_extension_has_no_effect(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 0, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    log_builder_add(bytes, 0, EV_NO_ACTION, BYTES_OF_ARRAY(locality3));
    g_autofree UefiReplay *replay = replay_of(bytes);
    assert_pcr0(replay, 0, BYTES_OF_ARRAY(zeros));
}

static void test_hcrtm_overrides_the_locality(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 0, EV_NO_ACTION, BYTES_OF_ARRAY(locality3));
    log_builder_add(bytes, 0, EV_EFI_HCRTM_EVENT, bytes_of_text("HCRTM"));
    g_autofree UefiReplay *replay = replay_of(bytes);
    assert_pcr0(replay, 4, bytes_of_text("HCRTM"));
}

static void test_boot_aggregates(void **state)
{
    uint8_t aggregate[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST];
    g_autoptr(GByteArray) bytes = log_builder_new();
    for (uint32_t pcr = 0; pcr < 8; pcr++)
        log_builder_add(bytes, pcr, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    g_autofree UefiReplay *eight = replay_of(bytes);
    assert_int_equal(uefi_boot_aggregates(eight, TPM_ALG_SHA256, aggregate), 1);
    uint8_t message[8 * 32], expected[32];
    for (unsigned pcr = 0; pcr < 8; pcr++)
        memcpy(message + 32 * pcr, uefi_replay_pcr(eight, TPM_ALG_SHA256, pcr).data, 32);
    assert_int_equal(EVP_Digest(message, sizeof message, expected, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(aggregate[0], expected, sizeof expected);
    log_builder_add(bytes, 8, EV_IPL, bytes_of_text("grub_cmd: set"));
    log_builder_add(bytes, 9, EV_IPL, bytes_of_text("/boot/vmlinuz"));
    g_autofree UefiReplay *ten = replay_of(bytes);
    assert_int_equal(uefi_boot_aggregates(ten, TPM_ALG_SHA1, aggregate), 2);
    assert_int_equal(uefi_boot_aggregates(ten, TPM_ALG_SHA384, aggregate), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extends_in_every_bank),
        cmocka_unit_test(test_startup_locality),
        cmocka_unit_test(test_locality_after_an_extension_has_no_effect),
        cmocka_unit_test(test_hcrtm_overrides_the_locality),
        cmocka_unit_test(test_boot_aggregates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
