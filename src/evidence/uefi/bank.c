/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/bank.h"

static const struct {
    uint16_t id;
    size_t size;
    const char *name;
    const char *openssl;
} banks[UEFI_BANK_COUNT] = {
    {TPM_ALG_SHA1, 20, "sha1", "SHA1"},
    {TPM_ALG_SHA256, 32, "sha256", "SHA256"},
    {TPM_ALG_SHA384, 48, "sha384", "SHA384"},
    {TPM_ALG_SHA512, 64, "sha512", "SHA512"},
    {TPM_ALG_SM3_256, 32, "sm3_256", "SM3"},
    {UEFI_ALG_SHA3_256, 32, "sha3_256", "SHA3-256"},
    {UEFI_ALG_SHA3_384, 48, "sha3_384", "SHA3-384"},
    {UEFI_ALG_SHA3_512, 64, "sha3_512", "SHA3-512"},
};

int uefi_bank_position(uint16_t algorithm)
{
    for (int i = 0; i < UEFI_BANK_COUNT; i++)
        if (banks[i].id == algorithm)
            return i;
    return -1;
}

uint16_t uefi_bank_at(int position)
{
    return banks[position].id;
}

size_t uefi_bank_digest_size(uint16_t algorithm)
{
    int position = uefi_bank_position(algorithm);
    return position < 0 ? 0 : banks[position].size;
}

const char *uefi_bank_name(uint16_t algorithm)
{
    int position = uefi_bank_position(algorithm);
    return position < 0 ? NULL : banks[position].name;
}

const EVP_MD *uefi_bank_md(uint16_t algorithm)
{
    /* As in tpm_hash_md(): a fetch by name costs more than a hash, and what the provider's policy
     * forbids stays NULL. */
    static const EVP_MD *fetched[UEFI_BANK_COUNT];
    static gsize once;
    if (g_once_init_enter(&once)) {
        for (int i = 0; i < UEFI_BANK_COUNT; i++)
            fetched[i] = EVP_MD_fetch(NULL, banks[i].openssl, NULL);
        g_once_init_leave(&once, 1);
    }
    int position = uefi_bank_position(algorithm);
    return position < 0 ? NULL : fetched[position];
}
