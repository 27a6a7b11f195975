/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, and signers' keys, that a fuzzer makes: none is a good one over what it did not sign.
 */
#include "tenant/detached_signature.h"

#include <openssl/ec.h>
#include <openssl/pem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* tests/unit/tenant/openpgp/other.asc */
static const char openpgp_key[] =
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"
    "mDMEY7DNABYJKwYBBAHaRw8BAQdAw6DNiRqGncIydsCuQSw7HVhrobwCLZcGId5y\n"
    "dkDsoUu0EW90aGVyQGV4YW1wbGUub3JniJAEExYIADgWIQTr5p8YMMb4+tp8eTSi\n"
    "0GqzLbYhywUCY7DNAAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRCi0Gqz\n"
    "LbYhyzjlAP4up1PpvEUwzkWkUtwY/EYnNcqdgLKSsUaeCqBQ1963GgD+Nhi/fOHr\n"
    "g2FXF5LBJ1zia31Vv7RAYuccPC0T3RSdDgg=\n"
    "=yMS0\n"
    "-----END PGP PUBLIC KEY BLOCK-----\n";

static GBytes *new_ec_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    char *text;
    long size = BIO_get_mem_data(bio, &text);
    GBytes *pem = g_bytes_new(text, (gsize)size);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return pem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static GBytes *ec_key;
    if (!ec_key)
        ec_key = new_ec_key();
    Bytes input = bytes_of(data, size);
    Bytes content = bytes_of_text("content");
    const Bytes signers[] = {bytes_of_text(openpgp_key), bytes_of_gbytes(ec_key), input};
    for (size_t i = 0; i < G_N_ELEMENTS(signers); i++) {
        g_autoptr(GError) error = NULL;
        g_assert(!detached_signature_check(signers[i], input, content, &error));
        g_assert(error);
    }
    return 0;
}
