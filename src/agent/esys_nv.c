/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates in the TPM's NV memory (tpm-formats §2.4). */
#define LOG_NAME "keylime.agent.tpm"

#include "agent/esys_device.h"

#include "base/log.h"

#include <string.h>

#define CHAIN_FIRST 0x01C00100u
#define CHAIN_LAST 0x01C001FFu
/* No certificate or chain is larger; a TPM's NV memory is a few KiB. */
#define NV_MAX (64u * 1024)
#define NV_PIECE_DEFAULT 512u

static UINT16 piece_size(EsysDevice *device)
{
    ESYS_AUTO TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc =
        Esys_GetCapability(device->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                           TPM2_CAP_TPM_PROPERTIES, TPM2_PT_NV_BUFFER_MAX, 1, &more, &data);
    if (rc != TSS2_RC_SUCCESS || data->data.tpmProperties.count == 0 ||
        data->data.tpmProperties.tpmProperty[0].property != TPM2_PT_NV_BUFFER_MAX)
        return NV_PIECE_DEFAULT;
    UINT32 size = data->data.tpmProperties.tpmProperty[0].value;
    return (UINT16)CLAMP(size, 64u, (UINT32)TPM2_MAX_NV_BUFFER_SIZE);
}

/* The index's whole content, or NULL: an index that cannot be read counts as no certificate. */
static GByteArray *read_index(EsysDevice *device, uint32_t index, UINT16 piece)
{
    ESYS_TR handle = ESYS_TR_NONE;
    if (Esys_TR_FromTPMPublic(device->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              &handle) != TSS2_RC_SUCCESS)
        return NULL;
    ESYS_AUTO TPM2B_NV_PUBLIC *public = NULL;
    g_autoptr(GByteArray) content = g_byte_array_new();
    TSS2_RC rc = Esys_NV_ReadPublic(device->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    &public, NULL);
    UINT32 size = rc == TSS2_RC_SUCCESS ? MIN(public->nvPublic.dataSize, NV_MAX) : 0;
    while (rc == TSS2_RC_SUCCESS && content->len < size) {
        ESYS_AUTO TPM2B_MAX_NV_BUFFER *part = NULL;
        UINT16 wanted = (UINT16)MIN((UINT32)piece, size - content->len);
        rc = Esys_NV_Read(device->esys, handle, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          ESYS_TR_NONE, wanted, (UINT16)content->len, &part);
        if (rc == TSS2_RC_SUCCESS && part->size > 0)
            bytes_append(content, bytes_of(part->buffer, part->size));
        else if (rc == TSS2_RC_SUCCESS)
            break;
    }
    (void)Esys_TR_Close(device->esys, &handle);
    if (rc != TSS2_RC_SUCCESS) {
        log_warning("The certificate at NV index 0x%08x cannot be read (0x%08x)", index, rc);
        return NULL;
    }
    return g_steal_pointer(&content);
}

/*
 * The first DER SEQUENCE of `rest`, which moves behind it; false when there is none. What follows a
 * certificate in its NV index is padding (0x00 or 0xFF).
 */
static bool take_certificate(Bytes *rest, Bytes *out)
{
    if (rest->size < 4 || rest->data[0] != 0x30)
        return false;
    size_t header, length;
    if (rest->data[1] == 0x82) {
        header = 4;
        length = (size_t)rest->data[2] << 8 | rest->data[3];
    } else if (rest->data[1] == 0x81) {
        header = 3;
        length = rest->data[2];
    } else if (rest->data[1] < 0x80) {
        header = 2;
        length = rest->data[1];
    } else {
        return false;
    }
    if (length > rest->size - header)
        return false;
    *out = bytes_of(rest->data, header + length);
    rest->data += header + length;
    rest->size -= header + length;
    return true;
}

static void append_chain(EsysDevice *device, UINT16 piece, GByteArray *out)
{
    ESYS_AUTO TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc =
        Esys_GetCapability(device->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                           CHAIN_FIRST, TPM2_MAX_CAP_HANDLES, &more, &data);
    if (rc != TSS2_RC_SUCCESS)
        return;
    for (UINT32 i = 0; i < data->data.handles.count && i < TPM2_MAX_CAP_HANDLES; i++) {
        uint32_t index = data->data.handles.handle[i];
        if (index < CHAIN_FIRST || index > CHAIN_LAST)
            continue;
        g_autoptr(GByteArray) part = read_index(device, index, piece);
        if (part)
            bytes_append(out, bytes_of_array(part));
    }
}

GPtrArray *esys_ek_certificates(TpmDevice *device)
{
    EsysDevice *self = esys_device(device);
    GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    UINT16 piece = piece_size(self);
    g_autoptr(GByteArray) leaf =
        read_index(self, key_template_ek_certificate_index(&self->keys), piece);
    Bytes rest = bytes_of_array(leaf), certificate;
    if (!take_certificate(&rest, &certificate)) {
        log_warning("No EK certificate found in TPM NVRAM");
        return out;
    }
    g_ptr_array_add(out, bytes_copy(certificate));

    g_autoptr(GByteArray) chain = g_byte_array_new();
    append_chain(self, piece, chain);
    rest = bytes_of_array(chain);
    while (take_certificate(&rest, &certificate))
        g_ptr_array_insert(out, 1, bytes_copy(certificate)); /* reverse order of the NV data */
    if (out->len > 1)
        log_info("Found EK certificate chain in TPM NVRAM");
    return out;
}
