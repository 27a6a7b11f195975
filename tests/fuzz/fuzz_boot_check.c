/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any event log against a fixed reference state, whose quote has what the log gives. What the
 * strict profile accepts, the upstream profile accepts; what is remembered is what passed.
 */
#include "evidence/pcr_check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The reference state of the seed "boot". */
static const char reference[] =
    "{\"kernels\":[{\"shim_authcode_sha256\":\"0x04e666aa09809daf691a99cc7bf2d57ba09ba"
    "c171966a71812ffd049d7c96bb1\",\"grub_authcode_sha256\":\"0xf78c9c9db7ad83af923df"
    "810e5cd0c97884be48a02bc371139051505b967d114\",\"kernel_authcode_sha256\":\"0x692"
    "3dd1bc0460082c5d55a831908c24a282860b7f1cd6c2b79cf1bc8857c639c\",\"initrd_plain"
    "_sha256\":\"0x09e6c018d2c8c4903308613dd1b72484d57eadf12ec50ddc8f52e5accce470f2"
    "\",\"kernel_cmdline\":\"/vmlinuz ro\"}],\"scrtm_and_bios\":[{\"scrtm\":{\"sha256\":\"0xe"
    "79e418e48623569d75e2a7b09ae88ed9b77b126a445b9ff9dc6989a08efa079\"},\"platform_"
    "firmware\":[{\"sha256\":\"0xfa2c8cc4f28176bbeed4b736df569a34c79cd3723e9ec42f9674"
    "b4d46ac6b8b8\"}]}],\"pk\":[{\"SignatureOwner\":\"00000000-0000-0000-0000-000000000"
    "000\",\"SignatureData\":\"0x706c6174666f726d206b6579\"}],\"kek\":[{\"SignatureOwner\""
    ":\"00000000-0000-0000-0000-000000000000\",\"SignatureData\":\"0x65786368616e67652"
    "06b6579\"}],\"db\":[{\"SignatureOwner\":\"00000000-0000-0000-0000-000000000000\",\"S"
    "ignatureData\":\"0x616c6c6f776564206b6579\"}],\"dbx\":[{\"SignatureOwner\":\"0000000"
    "0-0000-0000-0000-000000000000\",\"SignatureData\":\"0x612068617368206f6620746869"
    "7274792d74776f2062797465732e2e2e2e2e2e\"}],\"mokdig\":[{\"sha256\":\"0x0cd5170bd60"
    "2bd00497504b0291dda2c0de92d29dca9861898b18ba39c20d104\"}],\"mokxdig\":[{\"sha256"
    "\":\"0xc4b73d8bf7c21ce7170d2cb6f1a5abcbcca081879367ec6485b57e93f3d5e8f7\"}]}";

static PcrValues *replayed(Bytes bytes)
{
    const UefiLogRules rules = UEFI_LOG_RULES_UPSTREAM;
    PcrValues *pcrs = g_new0(PcrValues, 1);
    pcr_selection_add(&pcrs->selection, TPM_ALG_SHA256, BOOT_PCRS);
    UefiLog log;
    if (!uefi_log_parse(bytes, &rules, &log, NULL))
        return pcrs;
    g_autofree UefiReplay *replay = uefi_replay(&log);
    for (unsigned pcr = 0; uefi_replay_bank(replay, TPM_ALG_SHA256) && pcr < PCR_COUNT; pcr++)
        if ((BOOT_PCRS >> pcr & 1) != 0)
            pcr_values_set(pcrs, TPM_ALG_SHA256, pcr, uefi_replay_pcr(replay, TPM_ALG_SHA256, pcr));
    return pcrs;
}

static bool passes(Bytes log, const PcrValues *pcrs, const BootPolicy *policy, BootProfile profile)
{
    BootInput boot = {
        .log = log, .policy = policy, .profile = profile, .evaluate = BOOT_EVALUATE_ALWAYS};
    PcrCheck check = {.pcrs = pcrs, .bank = TPM_ALG_SHA256, .boot = &boot};
    BootState state = {0};
    g_autoptr(Verdict) verdict = verdict_new();
    pcr_check(&check, &state, verdict);
    bool passed = verdict->evaluation == EVALUATION_PASS;
    g_assert(passed == (verdict->failure_count == 0) && passed == state.passed);
    return passed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static BootPolicy *policies[2]; /* compiled once, as in a verifier */
    Bytes log = bytes_of(data, size);
    g_autofree PcrValues *pcrs = replayed(log);
    for (size_t i = 0; i < G_N_ELEMENTS(policies); i++) {
        if (!policies[i])
            policies[i] =
                boot_policy_new(i == 0 ? BOOT_RULES_EXAMPLE : BOOT_RULES_HARDWARE, reference);
        g_assert(boot_policy_form(policies[i]) == BOOT_POLICY_USABLE);
        bool strict = passes(log, pcrs, policies[i], BOOT_PROFILE_STRICT);
        bool upstream = passes(log, pcrs, policies[i], BOOT_PROFILE_UPSTREAM);
        g_assert(!strict || upstream);
    }
    return 0;
}
