/* SPDX-License-Identifier: Apache-2.0 */
#include "ima-emulator/emulated_pcr.h"

#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

G_DEFINE_QUARK(keylime - emulator - error, emulator_error)

struct EmulatedPcr {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    size_t count;
    uint16_t bank[EMULATED_MAX_BANKS];
};

static bool check(TSS2_RC rc, const char *what, GError **error)
{
    if (rc == TSS2_RC_SUCCESS)
        return true;
    g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_TPM, "%s failed: %s (0x%08x)", what,
                Tss2_RC_Decode(rc), rc);
    return false;
}

/* The vendor strings of emulators contain "SW". */
static bool check_emulator(EmulatedPcr *pcr, GError **error)
{
    TPMI_YES_NO more;
    TPMS_CAPABILITY_DATA *data = NULL;
    TSS2_RC rc =
        Esys_GetCapability(pcr->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                           TPM2_CAP_TPM_PROPERTIES, TPM2_PT_VENDOR_STRING_1, 4, &more, &data);
    if (!check(rc, "asking the TPM for its vendor", error))
        return false;
    const TPML_TAGGED_TPM_PROPERTY *properties = &data->data.tpmProperties;
    char vendor[4 * sizeof(UINT32) + 1] = "";
    for (UINT32 i = 0; i < properties->count && i < 4; i++) {
        UINT32 part = GUINT32_TO_BE(properties->tpmProperty[i].value);
        memcpy(vendor + i * sizeof part, &part, sizeof part);
    }
    Esys_Free(data);
    if (strstr(vendor, "SW"))
        return true;
    g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_TPM,
                "this TPM is no emulator (vendor '%s'): the kernel extends its PCR 10 by itself",
                vendor);
    return false;
}

EmulatedPcr *emulated_pcr_open(const uint16_t *banks, size_t count, GError **error)
{
    const char *tcti = g_getenv("TCTI");
    if (!tcti || !*tcti) {
        g_set_error_literal(error, EMULATOR_ERROR, EMULATOR_ERROR_TPM,
                            "the environment variable TCTI must name the emulated TPM, for example "
                            "TCTI=swtpm:host=127.0.0.1,port=2321");
        return NULL;
    }
    g_autoptr(EmulatedPcr) pcr = g_new0(EmulatedPcr, 1);
    g_assert(count > 0 && count <= EMULATED_MAX_BANKS);
    memcpy(pcr->bank, banks, count * sizeof *banks);
    pcr->count = count;
    g_autofree char *opening = g_strdup_printf("opening the TPM at '%s'", tcti);
    if (!check(Tss2_TctiLdr_Initialize(tcti, &pcr->tcti), opening, error) ||
        !check(Esys_Initialize(&pcr->esys, pcr->tcti, NULL), opening, error) ||
        !check_emulator(pcr, error))
        return NULL;
    return g_steal_pointer(&pcr);
}

void emulated_pcr_close(EmulatedPcr *pcr)
{
    if (!pcr)
        return;
    if (pcr->esys)
        Esys_Finalize(&pcr->esys);
    if (pcr->tcti)
        Tss2_TctiLdr_Finalize(&pcr->tcti);
    g_free(pcr);
}

static bool read_bank(EmulatedPcr *pcr, uint16_t bank, uint8_t *out, GError **error)
{
    TPML_PCR_SELECTION wanted = {
        .count = 1,
        .pcrSelections = {
            {.hash = bank, .sizeofSelect = 3, .pcrSelect = {[IMA_PCR / 8] = 1u << (IMA_PCR % 8)}}}};
    TPML_DIGEST *digests = NULL;
    TSS2_RC rc = Esys_PCR_Read(pcr->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted, NULL,
                               NULL, &digests);
    if (!check(rc, "reading PCR 10", error))
        return false;
    bool there = digests->count == 1 && digests->digests[0].size == tpm_hash_size(bank);
    if (there)
        memcpy(out, digests->digests[0].buffer, digests->digests[0].size);
    else
        g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_TPM,
                    "the TPM has no bank of %s; choose another with --hash_algs",
                    tpm_algorithm_name(bank));
    Esys_Free(digests);
    return there;
}

bool emulated_pcr_read(EmulatedPcr *pcr, PcrInBanks *out, GError **error)
{
    for (size_t i = 0; i < pcr->count; i++)
        if (!read_bank(pcr, pcr->bank[i], out->value[i], error))
            return false;
    return true;
}

bool emulated_pcr_extend(EmulatedPcr *pcr, const PcrInBanks *digests, GError **error)
{
    TPML_DIGEST_VALUES values = {.count = (UINT32)pcr->count};
    for (size_t i = 0; i < pcr->count; i++) {
        values.digests[i].hashAlg = pcr->bank[i];
        memcpy(&values.digests[i].digest, digests->value[i], tpm_hash_size(pcr->bank[i]));
    }
    TSS2_RC rc = Esys_PCR_Extend(pcr->esys, ESYS_TR_PCR10, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &values);
    return check(rc, "extending PCR 10", error);
}
