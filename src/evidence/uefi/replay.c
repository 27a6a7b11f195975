/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/replay.h"

#include "evidence/uefi/event_data.h"
#include "tpm/openssl.h"

/* TPM 2.0 part 1, 34.3: PCR 0 after a dynamic or hardware root of trust. */
enum { HCRTM_LOCALITY = 4 };

static void extend(EVP_MD_CTX *context, const EVP_MD *md, uint8_t *pcr, Bytes digest)
{
    bool done = EVP_DigestInit_ex2(context, md, NULL) == 1 &&
                EVP_DigestUpdate(context, pcr, digest.size) == 1 &&
                EVP_DigestUpdate(context, digest.data, digest.size) == 1 &&
                EVP_DigestFinal_ex(context, pcr, NULL) == 1;
    g_assert(done); /* a fetched digest over memory cannot fail */
}

/* What PCR 0 begins with, where the event says so; 0 where it does not. */
static uint8_t start_locality(const UefiEvent *event)
{
    uint8_t locality;
    if (event->pcr != 0)
        return 0;
    if (event->type == EV_EFI_HCRTM_EVENT)
        return HCRTM_LOCALITY;
    return uefi_startup_locality(event, &locality) ? locality : 0;
}

static void replay_digest(UefiReplay *replay, EVP_MD_CTX *context, const UefiEvent *event,
                          const UefiDigest *digest)
{
    const EVP_MD *md = uefi_bank_md(digest->algorithm);
    if (!md)
        return;
    UefiReplayBank *bank = &replay->bank[uefi_bank_position(digest->algorithm)];
    uint32_t bit = UINT32_C(1) << event->pcr;
    bank->touched |= bit;
    uint8_t locality = start_locality(event);
    if (locality > 0 && !(bank->extended & bit))
        bank->value[event->pcr][digest->value.size - 1] = locality;
    if (event->type == EV_NO_ACTION)
        return;
    extend(context, md, bank->value[event->pcr], digest->value);
    bank->extended |= bit;
}

UefiReplay *uefi_replay(const UefiLog *log)
{
    UefiReplay *replay = g_new0(UefiReplay, 1);
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    UefiLogCursor cursor = uefi_log_begin(log);
    UefiEvent event;
    while (uefi_log_next(&cursor, &event))
        for (size_t i = 0; i < event.digest_count && event.pcr <= UEFI_LAST_PCR_UPSTREAM; i++)
            replay_digest(replay, context, &event, &event.digest[i]);
    return replay;
}

const UefiReplayBank *uefi_replay_bank(const UefiReplay *replay, uint16_t algorithm)
{
    int position = uefi_bank_position(algorithm);
    return position >= 0 && replay->bank[position].touched ? &replay->bank[position] : NULL;
}

Bytes uefi_replay_pcr(const UefiReplay *replay, uint16_t algorithm, unsigned pcr)
{
    const UefiReplayBank *bank = uefi_replay_bank(replay, algorithm);
    if (!bank || pcr > UEFI_LAST_PCR_UPSTREAM)
        return BYTES_EMPTY;
    return bytes_of(bank->value[pcr], uefi_bank_digest_size(algorithm));
}

size_t uefi_boot_aggregates(const UefiReplay *replay, uint16_t algorithm,
                            uint8_t out[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST])
{
    static const unsigned pcrs[UEFI_MAX_BOOT_AGGREGATES] = {8, 10};
    const UefiReplayBank *bank = uefi_replay_bank(replay, algorithm);
    const EVP_MD *md = tpm_hash_md(algorithm);
    size_t count = 0;
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    for (size_t i = 0; bank && md && i < UEFI_MAX_BOOT_AGGREGATES; i++) {
        uint32_t needed = (UINT32_C(1) << pcrs[i]) - 1;
        if ((bank->touched & needed) != needed)
            continue;
        bool done = EVP_DigestInit_ex2(context, md, NULL) == 1;
        for (unsigned pcr = 0; pcr < pcrs[i]; pcr++)
            done =
                done && EVP_DigestUpdate(context, bank->value[pcr], tpm_hash_size(algorithm)) == 1;
        done = done && EVP_DigestFinal_ex(context, out[count], NULL) == 1;
        g_assert(done);
        count++;
    }
    return count;
}
