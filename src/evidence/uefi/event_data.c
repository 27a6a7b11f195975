/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/event_data.h"

#include "evidence/uefi/gpt.h"
#include "evidence/uefi/variable.h"

bool uefi_event_is_variable(uint32_t type)
{
    return type == EV_EFI_VARIABLE_DRIVER_CONFIG || type == EV_EFI_VARIABLE_BOOT ||
           type == EV_EFI_VARIABLE_BOOT2 || type == EV_EFI_VARIABLE_AUTHORITY;
}

bool uefi_event_is_image(uint32_t type)
{
    return type == EV_EFI_BOOT_SERVICES_APPLICATION || type == EV_EFI_BOOT_SERVICES_DRIVER ||
           type == EV_EFI_RUNTIME_SERVICES_DRIVER;
}

static const char *check_variable(const UefiEvent *event)
{
    UefiVariable variable;
    if (!uefi_variable_parse(event->data, &variable))
        return "the lengths of a UEFI variable do not fit its event";
    return uefi_variable_check(uefi_variable_form(event->type, &variable), variable.data);
}

static const char *check_structure(const UefiEvent *event)
{
    UefiFirmwareBlob blob;
    UefiFirmwareBlob2 blob2;
    UefiGpt gpt;
    switch (event->type) {
    case EV_S_CRTM_CONTENTS:
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
        return uefi_firmware_blob_parse(event->data, &blob) ? NULL : "a firmware blob is too short";
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        return uefi_firmware_blob2_parse(event->data, &blob2)
                   ? NULL
                   : "a firmware blob's description does not fit its event";
    case EV_EFI_GPT_EVENT:
        return uefi_gpt_parse(event->data, &gpt)
                   ? NULL
                   : "a partition table's size does not fit its number of partitions";
    case EV_EFI_HCRTM_EVENT:
        return bytes_equal(event->data, bytes_of_text("HCRTM"))
                   ? NULL
                   : "an H-CRTM event is not \"HCRTM\"";
    default:
        return NULL;
    }
}

const char *uefi_event_data_check(const UefiEvent *event)
{
    UefiImageLoad image;
    if (uefi_event_is_variable(event->type))
        return check_variable(event);
    if (uefi_event_is_image(event->type))
        return uefi_image_load_parse(event->data, &image) ? NULL : "an image load is too short";
    return check_structure(event);
}

static bool read_blob(Reader *reader, UefiFirmwareBlob *blob)
{
    return reader_u64_le(reader, &blob->base) && reader_u64_le(reader, &blob->length);
}

bool uefi_firmware_blob_parse(Bytes data, UefiFirmwareBlob *blob)
{
    Reader reader = reader_of(data);
    return read_blob(&reader, blob);
}

bool uefi_firmware_blob2_parse(Bytes data, UefiFirmwareBlob2 *blob)
{
    Reader reader = reader_of(data);
    uint8_t size;
    return reader_u8(&reader, &size) && reader_take(&reader, size, &blob->description) &&
           read_blob(&reader, &blob->blob);
}

bool uefi_image_load_parse(Bytes data, UefiImageLoad *image)
{
    Reader reader = reader_of(data);
    if (!reader_u64_le(&reader, &image->location) || !reader_u64_le(&reader, &image->length) ||
        !reader_u64_le(&reader, &image->link_time_address) ||
        !reader_u64_le(&reader, &image->path_length))
        return false;
    image->data = reader.rest;
    image->path =
        bytes_of(reader.rest.data, (size_t)MIN(image->path_length, (uint64_t)reader.rest.size));
    return true;
}

bool uefi_startup_locality(const UefiEvent *event, uint8_t *locality)
{
    static const uint8_t signature[16] = "StartupLocality";
    Reader reader = reader_of(event->data);
    Bytes own;
    return event->type == EV_NO_ACTION && reader_take(&reader, sizeof signature, &own) &&
           bytes_equal(own, BYTES_OF_ARRAY(signature)) && reader_u8(&reader, locality);
}
