/* SPDX-License-Identifier: Apache-2.0 */
/* Signature fields: nothing that is made up verifies, and a cache changes no answer. */
#include "evidence/ima/signature.h"

#include "base/encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* P-256; any point would do. Its id is written into each input. */
#define PUBLIC_KEY                                                                                 \
    "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d" \
    "812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

static const ImaKeyrings *rings_with_key(uint32_t *id)
{
    static ImaKeyrings *rings;
    static uint32_t key_id;
    if (!rings) {
        g_autoptr(GBytes) der = hex_decode(PUBLIC_KEY);
        g_autoptr(ImaKey) key = ima_key_parse_public(bytes_of_gbytes(der), NULL);
        g_assert(key);
        key_id = ima_key_id(key);
        rings = ima_keyrings_new();
        ima_keyrings_add(rings, bytes_of_text(".ima"), key);
    }
    *id = key_id;
    return rings;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"md5", "sha1", "sha256", "sha384", "sha512", "", "SHA256"};
    static ImaSignatureCache *cache;
    uint32_t id;
    const ImaKeyrings *rings = rings_with_key(&id);
    if (!cache)
        cache = ima_signature_cache_new(256);
    if (size < 1 + 32)
        return 0;
    g_autofree uint8_t *field = g_memdup2(data + 33, size - 33);
    for (size_t i = 0; size - 33 >= 7 && i < 4; i++)
        field[3 + i] = (uint8_t)(id >> (8 * (3 - i)));
    ImaSignature signature = {.field = bytes_of(field, size - 33),
                              .algorithm = bytes_of_text(names[data[0] % G_N_ELEMENTS(names)]),
                              .digest_type = (ImaDigestType)(data[0] / 64 % 3),
                              .digest = bytes_of(data + 1, 32)};
    g_assert(!ima_signature_verify(&signature, rings, NULL));
    g_assert(!ima_signature_verify(&signature, rings, cache));
    return 0;
}
