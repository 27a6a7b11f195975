/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/ecdsa.h"

#include "policy/openssl.h"

#include <openssl/err.h>

bool ecdsa_signature_is_by(EVP_PKEY *key, Bytes data, Bytes signature)
{
    if (!EVP_PKEY_is_a(key, "EC"))
        return false;
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    bool good =
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestVerify(context, signature.data, signature.size, data.data, data.size) == 1;
    ERR_clear_error();
    return good;
}
