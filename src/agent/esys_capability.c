/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.tpm"

#include "agent/esys_device.h"

#include "base/log.h"

#include <string.h>

static TPMS_CAPABILITY_DATA *get_capability(EsysDevice *device, TPM2_CAP capability,
                                            UINT32 property, UINT32 count, GError **error)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more = 0;
    TSS2_RC rc = Esys_GetCapability(device->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    capability, property, count, &more, &data);
    return esys_check(rc, "asking the TPM for its capabilities", error) ? data : NULL;
}

static bool read_banks(EsysDevice *device, PcrSelection *out, GError **error)
{
    ESYS_AUTO TPMS_CAPABILITY_DATA *data = get_capability(device, TPM2_CAP_PCRS, 0, 1, error);
    if (!data)
        return false;
    const TPML_PCR_SELECTION *banks = &data->data.assignedPCR;
    out->count = 0;
    for (UINT32 i = 0; i < banks->count && i < TPM2_NUM_PCR_BANKS; i++) {
        const TPMS_PCR_SELECTION *bank = &banks->pcrSelections[i];
        uint32_t pcrs = 0;
        for (unsigned byte = 0; byte < 3 && byte < bank->sizeofSelect; byte++)
            pcrs |= (uint32_t)bank->pcrSelect[byte] << (8 * byte);
        /* An empty bank is not allocated; SM3 is never quoted with (decision D6). */
        if (pcrs == 0 || !tpm_hash_md(bank->hash) || out->count == PCR_MAX_BANKS)
            continue;
        out->bank[out->count].hash = bank->hash;
        out->bank[out->count++].pcrs = pcrs;
    }
    return true;
}

static bool read_schemes(EsysDevice *device, TpmCapabilities *out, GError **error)
{
    ESYS_AUTO TPMS_CAPABILITY_DATA *data =
        get_capability(device, TPM2_CAP_ALGS, 0, TPM2_MAX_CAP_ALGS, error);
    if (!data)
        return false;
    const TPML_ALG_PROPERTY *algorithms = &data->data.algorithms;
    for (UINT32 i = 0; i < algorithms->count && i < TPM2_MAX_CAP_ALGS; i++) {
        switch (algorithms->algProperties[i].alg) {
        case TPM2_ALG_RSASSA:
            out->rsassa = true;
            break;
        case TPM2_ALG_RSAPSS:
            out->rsapss = true;
            break;
        case TPM2_ALG_ECDSA:
            out->ecdsa = true;
            break;
        case TPM2_ALG_ECSCHNORR:
            out->ecschnorr = true;
            break;
        default:
            break;
        }
    }
    return true;
}

bool esys_capabilities(TpmDevice *device, TpmCapabilities *out, GError **error)
{
    EsysDevice *self = esys_device(device);
    memset(out, 0, sizeof *out);
    return read_banks(self, &out->banks, error) && read_schemes(self, out, error);
}

bool esys_announce_emulator(EsysDevice *device, GError **error)
{
    ESYS_AUTO TPMS_CAPABILITY_DATA *data =
        get_capability(device, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_VENDOR_STRING_1, 4, error);
    if (!data)
        return false;
    char vendor[4 * 4 + 1] = "";
    const TPML_TAGGED_TPM_PROPERTY *properties = &data->data.tpmProperties;
    for (UINT32 i = 0; i < properties->count && i < 4; i++) {
        UINT32 value = GUINT32_TO_BE(properties->tpmProperty[i].value);
        memcpy(vendor + strlen(vendor), &value, sizeof value);
        vendor[4 * (i + 1)] = '\0';
    }
    if (!strstr(vendor, "SW"))
        return true;
    log_warning("INSECURE: Keylime is currently using a software TPM emulator (vendor '%s').",
                vendor);
    log_warning("INSECURE: its keys prove nothing about this machine's hardware.");
    log_warning("INSECURE: use it for development and testing only.");
    return true;
}
