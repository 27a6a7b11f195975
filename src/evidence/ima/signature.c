/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/signature.h"

#include "evidence/ima/algorithm.h"

#include <openssl/rsa.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

enum { TYPE_FILE = 3, TYPE_EVM_PORTABLE = 5, TYPE_VERITY = 6 };

typedef struct {
    uint8_t type, version, hash_id;
    uint32_t key_id;
    Bytes bytes;
} Header;

static bool parse_header(Bytes field, Header *out)
{
    Reader reader = reader_of(field);
    uint16_t length;
    return reader_u8(&reader, &out->type) && reader_u8(&reader, &out->version) &&
           reader_u8(&reader, &out->hash_id) && reader_u32_be(&reader, &out->key_id) &&
           reader_u16_be(&reader, &length) && reader_take(&reader, length, &out->bytes) &&
           reader_at_end(&reader);
}

/* What was signed: the digest itself, or the hash of Linux's struct ima_file_id around it. */
static bool signed_digest(const ImaSignature *signature, const Header *header,
                          uint8_t memory[EVP_MAX_MD_SIZE], Bytes *out)
{
    if (header->type == TYPE_FILE || header->type == TYPE_EVM_PORTABLE) {
        *out = signature->digest;
        return header->version == 2 && signature->digest_type != IMA_DIGEST_OF_VERITY;
    }
    if (header->type != TYPE_VERITY || header->version != 3 ||
        signature->digest_type == IMA_DIGEST_OF_FILE || signature->digest.size > EVP_MAX_MD_SIZE)
        return false;
    uint8_t file_id[2 + EVP_MAX_MD_SIZE] = {TYPE_VERITY, header->hash_id};
    if (signature->digest.size > 0)
        memcpy(file_id + 2, signature->digest.data, signature->digest.size);
    size_t size;
    if (!ima_hash_data(signature->algorithm, bytes_of(file_id, 2 + signature->digest.size), memory,
                       &size))
        return false;
    *out = bytes_of(memory, size);
    return true;
}

static bool verify_with_key(const ImaKey *key, const EVP_MD *md, Bytes digest, Bytes signature)
{
    g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey(NULL, ima_key_pkey(key), NULL);
    if (!context || EVP_PKEY_verify_init(context) != 1)
        return false;
    if (ima_key_kind(key) == IMA_KEY_RSA &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) != 1)
        return false;
    return EVP_PKEY_CTX_set_signature_md(context, md) == 1 &&
           EVP_PKEY_verify(context, signature.data, signature.size, digest.data, digest.size) == 1;
}

static bool verify_once(const ImaKey *key, const Header *header, const EVP_MD *md, Bytes digest,
                        ImaSignatureCache *cache)
{
    ImaVerification name;
    if (!cache || !ima_verification_name(ima_key_identity(key), header->hash_id, digest,
                                         header->bytes, &name))
        return verify_with_key(key, md, digest, header->bytes);
    if (ima_signature_cache_holds(cache, &name))
        return true;
    bool verified = verify_with_key(key, md, digest, header->bytes);
    if (verified)
        ima_signature_cache_add(cache, &name);
    return verified;
}

bool ima_signature_verify(const ImaSignature *signature, const ImaKeyrings *rings,
                          ImaSignatureCache *cache)
{
    Header header;
    if (!parse_header(signature->field, &header))
        return false;
    /* The digest's algorithm must be the signature's, and the digest as long as that one's. */
    const EVP_MD *md = ima_hash_by_name(signature->algorithm);
    if (!md || ima_hash_id(signature->algorithm) != header.hash_id ||
        (size_t)EVP_MD_get_size(md) != signature->digest.size)
        return false;
    uint8_t memory[EVP_MAX_MD_SIZE];
    Bytes digest;
    if (!signed_digest(signature, &header, memory, &digest))
        return false;
    ImaKeyCursor cursor = {0};
    for (const ImaKey *key; (key = ima_keyrings_next(rings, header.key_id, &cursor));)
        if (verify_once(key, &header, md, digest, cache))
            return true;
    return false;
}
