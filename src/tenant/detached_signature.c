/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/detached_signature.h"

#include "policy/ecdsa.h"
#include "policy/ima_key.h"
#include "tenant/openpgp.h"

#include <string.h>

#define DETACHED_SIGNATURE_ERROR (detached_signature_error_quark())
static G_DEFINE_QUARK(detached - signature - error - quark, detached_signature_error)

    static bool is_openpgp(Bytes key)
{
    static const char head[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    return key.size >= strlen(head) && memcmp(key.data, head, strlen(head)) == 0;
}

static bool check_ecdsa(Bytes signer, Bytes signature, Bytes data, GError **error)
{
    g_autoptr(ImaKey) key = ima_key_parse(signer, NULL);
    if (!key || ima_key_kind(key) != IMA_KEY_EC) {
        g_set_error_literal(error, DETACHED_SIGNATURE_ERROR, 0,
                            "the signer's key is neither an armoured OpenPGP public key nor a PEM "
                            "public key of EC");
        return false;
    }
    if (ecdsa_signature_is_by(ima_key_pkey(key), data, signature))
        return true;
    g_set_error_literal(error, DETACHED_SIGNATURE_ERROR, 0,
                        "the signature is not by the given key over this content");
    return false;
}

bool detached_signature_check(Bytes signer, Bytes signature, Bytes data, GError **error)
{
    if (signature.size == 0) {
        g_set_error_literal(error, DETACHED_SIGNATURE_ERROR, 0, "the signature is empty");
        return false;
    }
    return is_openpgp(signer) ? openpgp_check(signer, signature, data, error)
                              : check_ecdsa(signer, signature, data, error);
}
