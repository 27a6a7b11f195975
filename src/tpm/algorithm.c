/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/algorithm.h"

#include <string.h>

enum { HASH_COUNT = 5 };

static const struct {
    uint16_t id;
    size_t size;
    const char *name;
    const char *openssl; /* NULL: never verified with (decision D6) */
} hashes[HASH_COUNT] = {
    {TPM_ALG_SHA1, 20, "sha1", "SHA1"},       {TPM_ALG_SHA256, 32, "sha256", "SHA256"},
    {TPM_ALG_SHA384, 48, "sha384", "SHA384"}, {TPM_ALG_SHA512, 64, "sha512", "SHA512"},
    {TPM_ALG_SM3_256, 32, "sm3_256", NULL},
};

static const struct {
    uint16_t id;
    const char *name;
} schemes[] = {
    {TPM_ALG_RSASSA, "rsassa"},
    {TPM_ALG_RSAPSS, "rsapss"},
    {TPM_ALG_ECDSA, "ecdsa"},
};

/* Position in `hashes`, or -1. */
static int hash_index(uint16_t algorithm)
{
    for (int i = 0; i < HASH_COUNT; i++)
        if (hashes[i].id == algorithm)
            return i;
    return -1;
}

size_t tpm_hash_size(uint16_t algorithm)
{
    int index = hash_index(algorithm);
    return index < 0 ? 0 : hashes[index].size;
}

const EVP_MD *tpm_hash_md(uint16_t algorithm)
{
    /* Fetched once and kept for the life of the program: a fetch by name costs more than the hash
     * of a short message. A digest that the provider's policy forbids stays NULL: unsupported, no
     * crash. */
    static const EVP_MD *fetched[HASH_COUNT];
    static gsize once;
    if (g_once_init_enter(&once)) {
        for (int i = 0; i < HASH_COUNT; i++)
            if (hashes[i].openssl)
                fetched[i] = EVP_MD_fetch(NULL, hashes[i].openssl, NULL);
        g_once_init_leave(&once, 1);
    }
    int index = hash_index(algorithm);
    return index < 0 ? NULL : fetched[index];
}

uint16_t tpm_hash_from_name(const char *name)
{
    for (int i = 0; name && i < HASH_COUNT; i++)
        if (strcmp(hashes[i].name, name) == 0)
            return hashes[i].id;
    return 0;
}

uint16_t tpm_scheme_from_name(const char *name)
{
    for (size_t i = 0; name && i < G_N_ELEMENTS(schemes); i++)
        if (strcmp(schemes[i].name, name) == 0)
            return schemes[i].id;
    return 0;
}

const char *tpm_algorithm_name(uint16_t algorithm)
{
    int index = hash_index(algorithm);
    if (index >= 0)
        return hashes[index].name;
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (schemes[i].id == algorithm)
            return schemes[i].name;
    return algorithm == TPM_ALG_RSA ? "rsa" : algorithm == TPM_ALG_ECC ? "ecc" : NULL;
}
