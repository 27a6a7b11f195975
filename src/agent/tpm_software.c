/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.tpm"

#include "agent/tpm_software.h"

#include "agent/software_tpm.h"
#include "agent/state_file.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"

#define STATE_NAME "software_tpm.json"
/* The clock is kept ahead by this much, so that it is written rarely and still never goes back
 * after a crash (as TPMs do with their NV clock). */
#define CLOCK_AHEAD_MS (60u * 60 * 1000)

typedef struct {
    TpmDevice base;
    SoftwareTpm *tpm;
    char *path;
    char *boot_id;
    uint64_t clock_base, clock_kept;
    uint32_t reset_count;
} SoftwareDevice;

static SoftwareDevice *device_of(TpmDevice *device)
{
    return (SoftwareDevice *)device;
}

/* Errors of the pure software TPM in the domain of the interface. */
static void translate(GError **error)
{
    if (error && *error) {
        (*error)->domain = TPM_DEVICE_ERROR;
        (*error)->code = TPM_DEVICE_ERROR_REFUSED;
    }
}

static bool save(SoftwareDevice *device, GError **error)
{
    g_autoptr(GBytes) ek = software_tpm_ek_private(device->tpm);
    char *ek_text = base64_encode(bytes_of_gbytes(ek));
    /* Not through json-c, which would leave copies of the key behind. */
    char *text = g_strdup_printf("{\"version\":1,\"ek_private\":\"%s\",\"boot_id\":\"%s\","
                                 "\"reset_count\":%u,\"clock_base\":%" G_GUINT64_FORMAT
                                 ",\"clock_kept\":%" G_GUINT64_FORMAT "}",
                                 ek_text, device->boot_id, device->reset_count, device->clock_base,
                                 device->clock_kept);
    secret_free_text(ek_text);
    bool written = state_file_write(device->path, bytes_of_text(text), error);
    secret_free_text(text);
    return written;
}

/* Before a clock value leaves that the kept one does not cover. */
static bool keep_clock_ahead(SoftwareDevice *device, GError **error)
{
    uint64_t clock = software_tpm_clock(device->tpm).clock;
    if (clock < device->clock_kept)
        return true;
    device->clock_kept = clock + CLOCK_AHEAD_MS;
    return save(device, error);
}

static bool restore(SoftwareDevice *device, const KeyTemplate *keys, Bytes content, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(Json) root = json_parse(content, &reason);
    const char *ek_text = json_member_text(root, "ek_private");
    const char *boot_id = json_member_text(root, "boot_id");
    g_autoptr(GBytes) ek = ek_text ? secret_bytes_take(base64_decode(ek_text)) : NULL;
    json_wipe_member(root, "ek_private");
    gint64 reset_count = 0, clock_base = 0, clock_kept = 0;
    bool whole = ek && boot_id && json_member_int(root, "reset_count", false, &reset_count) &&
                 json_member_int(root, "clock_base", false, &clock_base) &&
                 json_member_int(root, "clock_kept", false, &clock_kept) && reset_count >= 1 &&
                 reset_count < G_MAXUINT32 && clock_base >= 0 && clock_kept >= 0;
    if (whole)
        device->tpm = software_tpm_restore(keys, bytes_of_gbytes(ek), &reason);
    if (!device->tpm) {
        g_set_error(
            error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_KEY,
            "%s: %s; remove the file to begin with a new software TPM (the registrar will then "
            "refuse this agent id until 'keylime_tenant -c regdelete')",
            device->path, reason ? reason->message : "not a software TPM's state");
        return false;
    }
    device->reset_count = (uint32_t)reset_count;
    device->clock_base = (uint64_t)clock_base;
    device->clock_kept = (uint64_t)clock_kept;
    if (g_strcmp0(boot_id, device->boot_id) != 0) {
        /* The machine was rebooted: as a TPM does, count it and go on beyond any value ever shown.
         */
        device->reset_count++;
        device->clock_base = device->clock_kept;
    }
    return true;
}

static void device_close(TpmDevice *device)
{
    SoftwareDevice *self = device_of(device);
    software_tpm_free(self->tpm);
    g_free(self->path);
    g_free(self->boot_id);
    g_free(self);
}

static bool device_capabilities(TpmDevice *device, TpmCapabilities *out, GError **error)
{
    static const uint16_t hashes[] = {TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
    *out = (TpmCapabilities){.ecdsa = true, .rsapss = true, .rsassa = true};
    for (guint i = 0; i < G_N_ELEMENTS(hashes); i++) {
        out->banks.bank[i].hash = hashes[i];
        out->banks.bank[i].pcrs = (1u << PCR_COUNT) - 1;
    }
    out->banks.count = G_N_ELEMENTS(hashes);
    return true;
}

static GBytes *device_ek_public(TpmDevice *device, GError **error)
{
    return g_bytes_ref(software_tpm_ek(device_of(device)->tpm)->tpmt);
}

static void device_ek_release(TpmDevice *device)
{
}

static GPtrArray *device_ek_certificates(TpmDevice *device)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
}

static bool device_ak_create(TpmDevice *device, GBytes **tpmt, GBytes **private_part,
                             GError **error)
{
    bool made = software_tpm_create_ak(device_of(device)->tpm, tpmt, private_part, error);
    translate(error);
    return made;
}

static bool device_ak_load(TpmDevice *device, Bytes tpmt, Bytes private_part, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (software_tpm_load_ak(device_of(device)->tpm, tpmt, private_part, &reason))
        return true;
    g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_KEY, reason->message);
    return false;
}

static GBytes *device_activate(TpmDevice *device, Bytes blob, GError **error)
{
    GBytes *secret = software_tpm_activate(device_of(device)->tpm, blob, error);
    translate(error);
    return secret;
}

static bool device_certify(TpmDevice *device, Bytes nonce, GBytes **message, GBytes **signature,
                           GError **error)
{
    SoftwareDevice *self = device_of(device);
    bool done = keep_clock_ahead(self, error) &&
                software_tpm_certify(self->tpm, nonce, message, signature, error);
    translate(error);
    return done;
}

static bool device_quote(TpmDevice *device, const PcrSelection *selection, Bytes nonce,
                         GBytes **message, GBytes **signature, PcrValues *values, GError **error)
{
    SoftwareDevice *self = device_of(device);
    bool done = keep_clock_ahead(self, error) &&
                software_tpm_quote(self->tpm, selection, nonce, message, signature, values, error);
    translate(error);
    return done;
}

static bool device_identity(TpmDevice *device, const DeviceIdentitySettings *settings,
                            Bytes qualifying, DeviceIdentityProof *out, GError **error)
{
    g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNSUITABLE,
                        "the software TPM has no device identity: set enable_iak_idevid = false");
    return false;
}

static const TpmDeviceOperations operations = {
    .close = device_close,
    .capabilities = device_capabilities,
    .ek_public = device_ek_public,
    .ek_release = device_ek_release,
    .ek_certificates = device_ek_certificates,
    .ak_create = device_ak_create,
    .ak_load = device_ak_load,
    .activate = device_activate,
    .certify = device_certify,
    .quote = device_quote,
    .identity = device_identity,
};

TpmDevice *tpm_software_open(const char *keylime_dir, const KeyTemplate *keys, GError **error)
{
    SoftwareDevice *self = g_new0(SoftwareDevice, 1);
    g_autoptr(TpmDevice) device = &self->base;
    self->base.operations = &operations;
    self->path = g_build_filename(keylime_dir, STATE_NAME, NULL);
    self->boot_id = state_boot_id();
    self->reset_count = 1;

    g_autoptr(GError) reason = NULL;
    g_autoptr(GBytes) content = state_file_read(self->path, &reason);
    if (content) {
        if (!restore(self, keys, bytes_of_gbytes(content), error))
            return NULL;
    } else if (reason) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_KEY, reason->message);
        return NULL;
    } else {
        self->tpm = software_tpm_new(keys, error);
        if (!self->tpm) {
            translate(error);
            return NULL;
        }
    }
    software_tpm_set_clock(self->tpm, self->clock_base, self->reset_count, 0);
    self->clock_kept = MAX(self->clock_kept, software_tpm_clock(self->tpm).clock + CLOCK_AHEAD_MS);
    if (!save(self, error)) {
        translate(error);
        return NULL;
    }
    log_warning("INSECURE: Keylime is using a software TPM inside the agent (--avoid-tpm).");
    log_warning("INSECURE: its keys lie in %s and prove nothing about this machine.", self->path);
    log_warning("INSECURE: use it for testing only.");
    return g_steal_pointer(&device);
}
