/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/algorithm.h"

/* Streebog (18, 19) is known to upstream by name only and never verifies. */
static const struct {
    const char *name;
    const char *openssl;
    uint8_t id;
} hashes[] = {
    {"md5", "MD5", 1},       {"sha1", "SHA1", 2},     {"sha256", "SHA256", 4},
    {"sha384", "SHA384", 5}, {"sha512", "SHA512", 6}, {"sha224", "SHA224", 7},
};

static int index_of(Bytes name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(hashes); i++)
        if (bytes_equal(name, bytes_of_text(hashes[i].name)))
            return (int)i;
    return -1;
}

const EVP_MD *ima_hash_by_name(Bytes name)
{
    static const EVP_MD *fetched[G_N_ELEMENTS(hashes)];
    static gsize once;
    if (g_once_init_enter(&once)) {
        for (size_t i = 0; i < G_N_ELEMENTS(hashes); i++)
            fetched[i] = EVP_MD_fetch(NULL, hashes[i].openssl, NULL);
        g_once_init_leave(&once, 1);
    }
    int index = index_of(name);
    return index < 0 ? NULL : fetched[index];
}

uint8_t ima_hash_id(Bytes name)
{
    int index = index_of(name);
    return index < 0 ? 0 : hashes[index].id;
}

bool ima_hash_data(Bytes name, Bytes data, uint8_t out[EVP_MAX_MD_SIZE], size_t *size)
{
    const EVP_MD *md = ima_hash_by_name(name);
    unsigned length = 0;
    if (!md || EVP_Digest(data.data, data.size, out, &length, md, NULL) != 1)
        return false;
    *size = length;
    return true;
}
