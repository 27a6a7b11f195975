/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.tpm"

#include "agent/attester.h"

#include "agent/agent_data.h"
#include "agent/tpm_esys.h"
#include "agent/tpm_software.h"
#include "base/log.h"

#include <string.h>

static TpmDevice *open_device(const AgentSettings *settings, GError **error)
{
    if (settings->avoid_tpm)
        return tpm_software_open(settings->keylime_dir, &settings->keys, error);
    EsysSettings esys = {
        .keys = settings->keys,
        .ek_handle = settings->ek_handle,
        .endorsement_auth = bytes_of_gbytes(settings->endorsement_password),
    };
    return tpm_esys_open(&esys, error);
}

/* The bank that quotes cover must exist (contract C46a). */
static bool check_bank(const TpmCapabilities *capabilities, uint16_t hash, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < capabilities->banks.count; i++) {
        if (capabilities->banks.bank[i].hash == hash)
            return true;
        g_string_append_printf(names, " %s", tpm_algorithm_name(capabilities->banks.bank[i].hash));
    }
    g_set_error(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNSUITABLE,
                "[agent] tpm_hash_alg: the TPM has no PCR bank for %s; it has:%s",
                tpm_algorithm_name(hash), names->len ? names->str : " none");
    return false;
}

static bool load_ek(Attester *attester, GError **error)
{
    g_autoptr(GBytes) ek = tpm_device_ek_public(attester->device, error);
    attester->ek = ek ? tpm_public_from_tpmt(bytes_of_gbytes(ek), error) : NULL;
    return attester->ek != NULL;
}

bool attester_open(Attester *attester, const AgentSettings *settings, GError **error)
{
    *attester = (Attester){.device = open_device(settings, error)};
    bool ready = attester->device &&
                 tpm_device_capabilities(attester->device, &attester->capabilities, error) &&
                 check_bank(&attester->capabilities, settings->keys.hash, error) &&
                 load_ek(attester, error);
    if (!ready)
        attester_close(attester);
    return ready;
}

bool attester_load_ak(Attester *attester, const AgentSettings *settings, const char *agent_id,
                      GError **error)
{
    attester->ak = agent_data_load_ak(settings->agent_data_path, attester->device, &settings->keys,
                                      attester->ek, agent_id, error);
    if (!attester->ak || !tpm_public_check_attestation_key(attester->ak, error))
        return false;
    /* The EK stays loaded only while the AK is put under it (tpm-formats §11). */
    tpm_device_release_ek(attester->device);
    attester->ek_certificates = tpm_device_ek_certificates(attester->device);
    return true;
}

void attester_close(Attester *attester)
{
    g_clear_pointer(&attester->device, tpm_device_close);
    g_clear_pointer(&attester->ek, tpm_public_free);
    g_clear_pointer(&attester->ak, tpm_public_free);
    g_clear_pointer(&attester->ek_certificates, g_ptr_array_unref);
}

bool attester_reopen(Attester *attester, const AgentSettings *settings, const char *agent_id,
                     GError **error)
{
    Attester fresh;
    g_clear_pointer(&attester->device, tpm_device_close);
    if (!attester_open(&fresh, settings, error))
        return false;
    if (!attester_load_ak(&fresh, settings, agent_id, error)) {
        attester_close(&fresh);
        return false;
    }
    bool same =
        attester->ak && bytes_equal(tpm_public_name(fresh.ak), tpm_public_name(attester->ak));
    attester_close(attester);
    *attester = fresh;
    if (same)
        log_info("The TPM is open again");
    else
        log_warning("The TPM has another attestation key now: this agent must be enrolled again");
    return true;
}

char *attester_ek_certificates_pem(const Attester *attester)
{
    if (!attester->ek_certificates || attester->ek_certificates->len == 0)
        return NULL;
    g_autoptr(GString) pem = g_string_new(NULL);
    for (guint i = 0; i < attester->ek_certificates->len; i++) {
        gsize size;
        const guchar *der = g_bytes_get_data(attester->ek_certificates->pdata[i], &size);
        g_autofree char *text = g_base64_encode(der, size);
        g_string_append(pem, "-----BEGIN CERTIFICATE-----\n");
        for (const char *line = text; *line; line += MIN(strlen(line), 64))
            g_string_append_printf(pem, "%.64s\n", line);
        g_string_append(pem, "-----END CERTIFICATE-----\n");
    }
    return g_string_free(g_steal_pointer(&pem), FALSE);
}
