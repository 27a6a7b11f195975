/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/software_tpm.h"

#include "agent/software_key.h"
#include "base/secret.h"
#include "tpm/credential.h"
#include "tpm/marshal.h"

#include <string.h>
#include <time.h>

#define FIRMWARE_VERSION 0x0001000000000000u
#define TPM_RH_ENDORSEMENT 0x4000000Bu

static const uint16_t banks[SOFTWARE_TPM_BANKS] = {TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};

struct SoftwareTpm {
    KeyTemplate keys;
    EVP_PKEY *ek_private, *ak_private;
    TpmPublic *ek, *ak;
    uint64_t clock_base, last_clock;
    uint32_t reset_count, restart_count;
    uint8_t pcr[SOFTWARE_TPM_BANKS][PCR_COUNT][TPM_MAX_DIGEST];
};

static int bank_index(uint16_t hash)
{
    for (int i = 0; i < SOFTWARE_TPM_BANKS; i++) {
        if (banks[i] == hash)
            return i;
    }
    return -1;
}

static SoftwareTpm *tpm_with_ek(const KeyTemplate *keys, EVP_PKEY *ek_private, GError **error)
{
    g_autoptr(SoftwareTpm) tpm = g_new0(SoftwareTpm, 1);
    tpm->keys = *keys;
    tpm->reset_count = 1;
    tpm->ek_private = ek_private;
    TpmTemplate kind = key_template_ek(keys);
    g_autoptr(GBytes) tpmt = tpm_template_public(&kind, ek_private, error);
    tpm->ek = tpmt ? tpm_public_from_tpmt(bytes_of_gbytes(tpmt), error) : NULL;
    return tpm->ek ? g_steal_pointer(&tpm) : NULL;
}

SoftwareTpm *software_tpm_new(const KeyTemplate *keys, GError **error)
{
    EVP_PKEY *ek = software_key_generate(keys, error);
    return ek ? tpm_with_ek(keys, ek, error) : NULL;
}

SoftwareTpm *software_tpm_restore(const KeyTemplate *keys, Bytes ek_private, GError **error)
{
    EVP_PKEY *ek = software_key_read(keys, ek_private, error);
    return ek ? tpm_with_ek(keys, ek, error) : NULL;
}

void software_tpm_free(SoftwareTpm *tpm)
{
    if (!tpm)
        return;
    EVP_PKEY_free(tpm->ek_private);
    EVP_PKEY_free(tpm->ak_private);
    tpm_public_free(tpm->ek);
    tpm_public_free(tpm->ak);
    g_free(tpm);
}

GBytes *software_tpm_ek_private(const SoftwareTpm *tpm)
{
    return software_key_write(tpm->ek_private);
}

const TpmPublic *software_tpm_ek(const SoftwareTpm *tpm)
{
    return tpm->ek;
}

const TpmPublic *software_tpm_ak(const SoftwareTpm *tpm)
{
    return tpm->ak;
}

void software_tpm_set_clock(SoftwareTpm *tpm, uint64_t clock_base, uint32_t reset_count,
                            uint32_t restart_count)
{
    tpm->clock_base = clock_base;
    tpm->last_clock = 0;
    tpm->reset_count = reset_count;
    tpm->restart_count = restart_count;
}

TpmClock software_tpm_clock(SoftwareTpm *tpm)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t clock =
        tpm->clock_base + (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    /* Verifiers refuse a clock that stands still between two quotes (decision D12). */
    tpm->last_clock = MAX(clock, tpm->last_clock + 1);
    return (TpmClock){.clock = tpm->last_clock,
                      .reset_count = tpm->reset_count,
                      .restart_count = tpm->restart_count,
                      .safe = true};
}

static bool install_ak(SoftwareTpm *tpm, EVP_PKEY *private_key, TpmPublic *public)
{
    EVP_PKEY_free(tpm->ak_private);
    tpm_public_free(tpm->ak);
    tpm->ak_private = private_key;
    tpm->ak = public;
    return true;
}

static GBytes *ak_public_area(const SoftwareTpm *tpm, EVP_PKEY *key, GError **error)
{
    TpmTemplate kind = key_template_ak(&tpm->keys);
    return tpm_template_public(&kind, key, error);
}

bool software_tpm_create_ak(SoftwareTpm *tpm, GBytes **tpmt, GBytes **private_part, GError **error)
{
    EVP_PKEY *key = software_key_generate(&tpm->keys, error);
    if (!key)
        return false;
    g_autoptr(GBytes) area = ak_public_area(tpm, key, error);
    TpmPublic *public = area ? tpm_public_from_tpmt(bytes_of_gbytes(area), error) : NULL;
    if (!public) {
        EVP_PKEY_free(key);
        return false;
    }
    *tpmt = g_steal_pointer(&area);
    *private_part = software_key_write(key);
    return install_ak(tpm, key, public);
}

bool software_tpm_load_ak(SoftwareTpm *tpm, Bytes tpmt, Bytes private_part, GError **error)
{
    EVP_PKEY *key = software_key_read(&tpm->keys, private_part, error);
    if (!key)
        return false;
    g_autoptr(GBytes) area = ak_public_area(tpm, key, error);
    if (area && !bytes_equal(bytes_of_gbytes(area), tpmt))
        g_set_error_literal(error, TPM_ERROR, TPM_ERROR_UNSUITABLE,
                            "the private part does not belong to the public area");
    else if (area) {
        TpmPublic *public = tpm_public_from_tpmt(tpmt, error);
        if (public)
            return install_ak(tpm, key, public);
    }
    EVP_PKEY_free(key);
    return false;
}

bool software_tpm_extend(SoftwareTpm *tpm, uint16_t hash, unsigned pcr, Bytes digest)
{
    int bank = bank_index(hash);
    size_t size = tpm_hash_size(hash);
    if (bank < 0 || pcr >= PCR_COUNT || digest.size != size)
        return false;
    uint8_t *value = tpm->pcr[bank][pcr];
    uint8_t input[2 * TPM_MAX_DIGEST];
    memcpy(input, value, size);
    memcpy(input + size, digest.data, size);
    return EVP_Digest(input, 2 * size, value, NULL, tpm_hash_md(hash), NULL) == 1;
}

bool software_tpm_read_pcrs(const SoftwareTpm *tpm, const PcrSelection *selection, PcrValues *out)
{
    memset(out, 0, sizeof *out);
    out->selection = *selection;
    for (size_t i = 0; i < selection->count; i++) {
        int bank = bank_index(selection->bank[i].hash);
        if (bank < 0)
            return false;
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            if (selection->bank[i].pcrs & (1u << pcr))
                memcpy(out->value[i][pcr], tpm->pcr[bank][pcr], TPM_MAX_DIGEST);
        }
    }
    return true;
}

GBytes *software_tpm_activate(SoftwareTpm *tpm, Bytes blob, GError **error)
{
    g_assert(tpm->ak);
    return credential_open(tpm->ek, tpm->ek_private, tpm_public_name(tpm->ak), blob, error);
}

/* nameAlg || H(parent || name): the name with its ancestry (TPM 2.0 Part 1, 26.5). */
static void qualified_name(const TpmPublic *object, Bytes parent, uint8_t out[TPM_NAME_MAX])
{
    g_autoptr(GByteArray) input = g_byte_array_new();
    bytes_append(input, parent);
    bytes_append(input, tpm_public_name(object));
    out[0] = (uint8_t)(object->name_alg >> 8);
    out[1] = (uint8_t)object->name_alg;
    EVP_Digest(input->data, input->len, out + 2, NULL, tpm_hash_md(object->name_alg), NULL);
}

static Bytes ak_qualified_name(const SoftwareTpm *tpm, uint8_t out[TPM_NAME_MAX])
{
    const uint8_t endorsement[4] = {TPM_RH_ENDORSEMENT >> 24, 0, 0, TPM_RH_ENDORSEMENT & 0xFF};
    uint8_t ek[TPM_NAME_MAX];
    qualified_name(tpm->ek, BYTES_OF_ARRAY(endorsement), ek);
    qualified_name(tpm->ak, bytes_of(ek, tpm->ek->name_size), out);
    return bytes_of(out, tpm->ak->name_size);
}

/* What quote and certify share. `signer` backs a view of the result. */
static TpmAttest attest_begin(SoftwareTpm *tpm, uint16_t type, Bytes nonce,
                              uint8_t signer[TPM_NAME_MAX])
{
    return (TpmAttest){.type = type,
                       .qualified_signer = ak_qualified_name(tpm, signer),
                       .extra_data = nonce,
                       .clock = software_tpm_clock(tpm),
                       .firmware_version = FIRMWARE_VERSION};
}

static bool attest_sign(const SoftwareTpm *tpm, const TpmAttest *attest, GBytes **message,
                        GBytes **signature, GError **error)
{
    g_autoptr(GBytes) text = tpm_attest_marshal(attest);
    *signature = tpm_signature_make(tpm->ak_private, tpm->keys.scheme, tpm->keys.hash,
                                    bytes_of_gbytes(text), error);
    if (!*signature)
        return false;
    *message = g_steal_pointer(&text);
    return true;
}

/* What TPM2B_DATA holds (tpm-formats §7.6). */
static bool nonce_fits(Bytes nonce, GError **error)
{
    if (nonce.size <= 2 + TPM_MAX_DIGEST)
        return true;
    g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUPPORTED,
                "a challenge of %zu bytes is longer than a TPM can sign", nonce.size);
    return false;
}

bool software_tpm_certify(SoftwareTpm *tpm, Bytes nonce, GBytes **message, GBytes **signature,
                          GError **error)
{
    g_assert(tpm->ak);
    if (!nonce_fits(nonce, error))
        return false;
    uint8_t signer[TPM_NAME_MAX];
    TpmAttest attest = attest_begin(tpm, TPM_ATTEST_CERTIFY, nonce, signer);
    attest.certified_name = tpm_public_name(tpm->ak);
    attest.certified_qualified_name = attest.qualified_signer; /* the AK certifies itself */
    return attest_sign(tpm, &attest, message, signature, error);
}

bool software_tpm_quote(SoftwareTpm *tpm, const PcrSelection *selection, Bytes nonce,
                        GBytes **message, GBytes **signature, PcrValues *values, GError **error)
{
    g_assert(tpm->ak);
    uint8_t digest[TPM_MAX_DIGEST];
    if (!nonce_fits(nonce, error))
        return false;
    if (!software_tpm_read_pcrs(tpm, selection, values) ||
        !pcr_values_digest(values, tpm->keys.hash, digest)) {
        g_set_error_literal(error, TPM_ERROR, TPM_ERROR_UNSUPPORTED,
                            "the software TPM has the PCR banks sha256, sha384 and sha512 only");
        return false;
    }
    uint8_t signer[TPM_NAME_MAX];
    TpmAttest attest = attest_begin(tpm, TPM_ATTEST_QUOTE, nonce, signer);
    attest.selection = *selection;
    attest.pcr_digest = bytes_of(digest, tpm_hash_size(tpm->keys.hash));
    return attest_sign(tpm, &attest, message, signature, error);
}
