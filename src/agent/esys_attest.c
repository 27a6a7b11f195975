/* SPDX-License-Identifier: Apache-2.0 */
/* Quote, certify, and the device identity's certification (tpm-formats §7, §8). */
#include "agent/esys_device.h"
#include "agent/steady_quote.h"
#include "base/secret.h"

#include <string.h>
#include <tss2/tss2_mu.h>

static bool read_nonce(Bytes nonce, TPM2B_DATA *out, GError **error)
{
    memset(out, 0, sizeof *out);
    if (nonce.size > sizeof out->buffer) {
        g_set_error(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_REFUSED,
                    "a challenge of %zu bytes is longer than a TPM can sign", nonce.size);
        return false;
    }
    out->size = (UINT16)nonce.size;
    if (nonce.size > 0)
        memcpy(out->buffer, nonce.data, nonce.size);
    return true;
}

static GBytes *signature_bytes(const TPMT_SIGNATURE *signature, GError **error)
{
    uint8_t buffer[sizeof(TPMT_SIGNATURE)];
    size_t size = 0;
    TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, buffer, sizeof buffer, &size);
    return esys_check(rc, "writing a signature", error) ? g_bytes_new(buffer, size) : NULL;
}

static bool certify_with(EsysDevice *device, ESYS_TR signer, Bytes nonce, GBytes **message,
                         GBytes **signature, GError **error)
{
    TPM2B_DATA qualifying;
    if (!read_nonce(nonce, &qualifying, error))
        return false;
    TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL}; /* the key's own */
    ESYS_AUTO TPM2B_ATTEST *attest = NULL;
    ESYS_AUTO TPMT_SIGNATURE *signed_by = NULL;
    TSS2_RC rc = Esys_Certify(device->esys, device->ak, signer, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD,
                              ESYS_TR_NONE, &qualifying, &scheme, &attest, &signed_by);
    if (!esys_check(rc, "TPM2_Certify of the attestation key", error))
        return false;
    *signature = signature_bytes(signed_by, error);
    if (!*signature)
        return false;
    *message = g_bytes_new(attest->attestationData, attest->size);
    return true;
}

bool esys_certify(TpmDevice *device, Bytes nonce, GBytes **message, GBytes **signature,
                  GError **error)
{
    EsysDevice *self = esys_device(device);
    return certify_with(self, self->ak, nonce, message, signature, error);
}

/* --- quote
 * ------------------------------------------------------------------------------------------ */

static TPML_PCR_SELECTION selection_structure(const PcrSelection *selection)
{
    TPML_PCR_SELECTION out = {.count = (UINT32)selection->count};
    for (size_t i = 0; i < selection->count; i++) {
        out.pcrSelections[i].hash = selection->bank[i].hash;
        out.pcrSelections[i].sizeofSelect = 3;
        for (unsigned byte = 0; byte < 3; byte++)
            out.pcrSelections[i].pcrSelect[byte] = (BYTE)(selection->bank[i].pcrs >> (8 * byte));
    }
    return out;
}

/* One answer of TPM2_PCR_Read into `values`; its PCRs are cleared from `missing`. False when the
 * answer holds none of them. */
static bool take_values(const TPML_PCR_SELECTION *read, const TPML_DIGEST *digests,
                        PcrSelection *missing, PcrValues *values)
{
    UINT32 next = 0;
    for (UINT32 i = 0; i < read->count && i < TPM2_NUM_PCR_BANKS; i++) {
        const TPMS_PCR_SELECTION *part = &read->pcrSelections[i];
        for (size_t bank = 0; bank < missing->count; bank++) {
            if (missing->bank[bank].hash != part->hash)
                continue;
            for (unsigned pcr = 0; pcr < PCR_COUNT && next < digests->count && next < 8; pcr++) {
                if (!(part->pcrSelect[pcr / 8] & (1u << (pcr % 8))))
                    continue;
                const TPM2B_DIGEST *digest = &digests->digests[next++];
                if (digest->size != tpm_hash_size(part->hash))
                    return false;
                memcpy(values->value[bank][pcr], digest->buffer, digest->size);
                missing->bank[bank].pcrs &= ~(1u << pcr);
            }
        }
    }
    return next > 0;
}

static bool anything_missing(const PcrSelection *selection)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->bank[i].pcrs)
            return true;
    }
    return false;
}

/* A TPM answers at most eight values at a time. */
static bool read_pcrs(TpmDevice *device, const PcrSelection *selection, PcrValues *values,
                      GError **error)
{
    ESYS_CONTEXT *esys = esys_device(device)->esys;
    PcrSelection missing = *selection;
    memset(values, 0, sizeof *values);
    values->selection = *selection;
    while (anything_missing(&missing)) {
        TPML_PCR_SELECTION wanted = selection_structure(&missing);
        ESYS_AUTO TPML_PCR_SELECTION *read = NULL;
        ESYS_AUTO TPML_DIGEST *digests = NULL;
        TSS2_RC rc = Esys_PCR_Read(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted, NULL,
                                   &read, &digests);
        if (!esys_check(rc, "TPM2_PCR_Read", error))
            return false;
        if (!take_values(read, digests, &missing, values)) {
            g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNSUITABLE,
                                "the TPM does not have the PCRs that the verifier asks for");
            return false;
        }
    }
    return true;
}

static bool quote_once(TpmDevice *device, const PcrSelection *selection, Bytes nonce,
                       GBytes **message, GBytes **signature, GError **error)
{
    EsysDevice *self = esys_device(device);
    TPM2B_DATA qualifying;
    if (!read_nonce(nonce, &qualifying, error))
        return false;
    TPML_PCR_SELECTION wanted = selection_structure(selection);
    TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL};
    ESYS_AUTO TPM2B_ATTEST *attest = NULL;
    ESYS_AUTO TPMT_SIGNATURE *signed_by = NULL;
    TSS2_RC rc = Esys_Quote(self->esys, self->ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                            &qualifying, &scheme, &wanted, &attest, &signed_by);
    if (!esys_check(rc, "TPM2_Quote", error))
        return false;
    *signature = signature_bytes(signed_by, error);
    if (!*signature)
        return false;
    *message = g_bytes_new(attest->attestationData, attest->size);
    return true;
}

bool esys_quote(TpmDevice *device, const PcrSelection *selection, Bytes nonce, GBytes **message,
                GBytes **signature, PcrValues *values, GError **error)
{
    QuoteCommands commands = {device, read_pcrs, quote_once, esys_device(device)->keys.hash};
    return steady_quote(&commands, selection, nonce, message, signature, values, error);
}

/* --- device identity
 * -------------------------------------------------------------------------------- */

static GBytes *sized_public(GBytes *tpmt)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    append_tpm2b(out, bytes_of_gbytes(tpmt));
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

/* Opens a persistent key or makes it from its template; `key` is cleared by the caller. */
static bool open_device_key(EsysDevice *device, DeviceKey which,
                            const DeviceIdentitySettings *settings, EsysTransient *key,
                            GBytes **public, GError **error)
{
    uint32_t persistent = which == DEVICE_KEY_IAK ? settings->iak_handle : settings->idevid_handle;
    g_autoptr(GBytes) tpmt = NULL;
    if (persistent) {
        ESYS_AUTO TPM2B_PUBLIC *area = NULL;
        TSS2_RC rc = Esys_TR_FromTPMPublic(device->esys, persistent, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, &key->handle);
        if (rc != TSS2_RC_SUCCESS)
            key->handle = ESYS_TR_NONE;
        key->persistent = true;
        if (rc == TSS2_RC_SUCCESS)
            rc = Esys_ReadPublic(device->esys, key->handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &area, NULL, NULL);
        if (!esys_check(rc, "opening the key of iak_handle or idevid_handle", error))
            return false;
        tpmt = esys_public_area(&area->publicArea);
    } else {
        TpmTemplate kind = key_template_device(which, &settings->key);
        g_autoptr(GBytes) template = tpm_template_to_tpmt(&kind);
        if (!esys_create_primary(device, bytes_of_gbytes(template), &key->handle, &tpmt, error))
            return false;
    }
    if (!tpmt) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNSUITABLE,
                            "the TPM returned an unusable identity key");
        return false;
    }
    *public = sized_public(tpmt);
    return true;
}

static bool set_key_password(EsysDevice *device, ESYS_TR handle, GBytes *password, GError **error)
{
    Bytes value = bytes_of_gbytes(password);
    TPM2B_AUTH auth = {0};
    if (value.size == 0)
        return true;
    if (value.size > sizeof auth.buffer) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNSUITABLE,
                            "iak_password is longer than a TPM takes");
        return false;
    }
    auth.size = (UINT16)value.size;
    memcpy(auth.buffer, value.data, value.size);
    TSS2_RC rc = Esys_TR_SetAuth(device->esys, handle, &auth);
    secret_wipe(&auth, sizeof auth);
    return esys_check(rc, "setting the IAK's password", error);
}

static bool read_idevid(EsysDevice *device, const DeviceIdentitySettings *settings, GBytes **public,
                        GError **error)
{
    g_auto(EsysTransient) idevid = {device, ESYS_TR_NONE};
    return open_device_key(device, DEVICE_KEY_IDEVID, settings, &idevid, public, error);
}

bool esys_identity(TpmDevice *device, const DeviceIdentitySettings *settings, Bytes qualifying,
                   DeviceIdentityProof *out, GError **error)
{
    EsysDevice *self = esys_device(device);
    esys_ek_release(device); /* AK and one identity key: within three transient objects */
    g_auto(EsysTransient) iak = {self, ESYS_TR_NONE};
    return read_idevid(self, settings, &out->idevid_public, error) &&
           open_device_key(self, DEVICE_KEY_IAK, settings, &iak, &out->iak_public, error) &&
           set_key_password(self, iak.handle, settings->iak_password, error) &&
           certify_with(self, iak.handle, qualifying, &out->attest, &out->signature, error);
}
