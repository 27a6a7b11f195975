/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/key.h"

#include "tpm/openssl.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <string.h>

static const TpmCurve curves[] = {
    {0x0003, 256, 32, "P-256"},
    {0x0004, 384, 48, "P-384"},
    {0x0005, 521, 66, "P-521"},
};

const TpmCurve *tpm_curve_find(uint16_t id)
{
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++)
        if (curves[i].id == id)
            return &curves[i];
    return NULL;
}

const TpmCurve *tpm_curve_of_bits(unsigned bits)
{
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++)
        if (curves[i].bits == bits)
            return &curves[i];
    return NULL;
}

const TpmCurve *tpm_curve_of_key(EVP_PKEY *key)
{
    char group[64];
    size_t size;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1)
        return NULL;
    int id = OBJ_txt2nid(group); /* "P-256" and "prime256v1" are one group */
    if (id == NID_undef)
        id = EC_curve_nist2nid(group);
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++)
        if (id == EC_curve_nist2nid(curves[i].group))
            return &curves[i];
    return NULL;
}

static EVP_PKEY *key_from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
    g_autoptr(OSSL_PARAM) parameters = OSSL_PARAM_BLD_to_param(builder);
    g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        return NULL;
    return key;
}

EVP_PKEY *tpm_key_rsa(Bytes modulus, uint32_t exponent)
{
    if (modulus.size == 0 || modulus.size > TPM_MAX_RSA_BYTES)
        return NULL;
    g_autoptr(OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new();
    g_autoptr(BIGNUM) n = BN_bin2bn(modulus.data, (int)modulus.size, NULL);
    g_autoptr(BIGNUM) e = BN_new();
    if (!builder || !n || !e || BN_set_word(e, exponent ? exponent : 65537) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    return key_from_parameters("RSA", builder);
}

EVP_PKEY *tpm_key_ecc(const TpmCurve *curve, Bytes x, Bytes y)
{
    if (x.size == 0 || y.size == 0 || x.size > curve->size || y.size > curve->size)
        return NULL;
    uint8_t point[1 + 2 * TPM_MAX_COORDINATE] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1 + curve->size - x.size, x.data, x.size);
    memcpy(point + 1 + 2 * (size_t)curve->size - y.size, y.data, y.size);
    g_autoptr(OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new();
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + 2 * (size_t)curve->size) != 1)
        return NULL;
    /* Reading the point checks its range and that it lies on the curve; the curves have cofactor 1,
     * so there is no small subgroup that would need the (slow) full check. */
    return key_from_parameters("EC", builder);
}

bool tpm_key_get_rsa(EVP_PKEY *key, uint8_t modulus[TPM_MAX_RSA_BYTES], size_t *size,
                     uint32_t *exponent)
{
    g_autoptr(BIGNUM) n = NULL;
    g_autoptr(BIGNUM) e = NULL;
    if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1 ||
        BN_num_bytes(n) > TPM_MAX_RSA_BYTES || BN_num_bits(e) > 32)
        return false;
    *size = (size_t)BN_bn2bin(n, modulus);
    *exponent = (uint32_t)BN_get_word(e);
    return true;
}

static bool get_coordinate(EVP_PKEY *key, const char *name, const TpmCurve *curve, uint8_t *out)
{
    g_autoptr(BIGNUM) number = NULL;
    return EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
           BN_bn2binpad(number, out, curve->size) == curve->size;
}

bool tpm_key_get_point(EVP_PKEY *key, const TpmCurve *curve, uint8_t x[TPM_MAX_COORDINATE],
                       uint8_t y[TPM_MAX_COORDINATE])
{
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == curve->bits &&
           get_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, curve, x) &&
           get_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve, y);
}
