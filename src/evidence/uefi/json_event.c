/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/json_event.h"

#include "base/encoding.h"
#include "evidence/uefi/bank.h"
#include "evidence/uefi/device_path.h"
#include "evidence/uefi/event_data.h"
#include "evidence/uefi/gpt.h"
#include "evidence/uefi/guid.h"
#include "evidence/uefi/signature_list.h"
#include "evidence/uefi/text.h"
#include "evidence/uefi/variable.h"

#include <string.h>

/* Upstream shows no more of the data of types that it does not take apart. */
#define MAX_HEX_BYTES 1024

/* --- values ------------------------------------------------------------------------------------*/

static void add_uint(Json *object, const char *name, uint64_t value)
{
    json_add(object, name, json_object_new_uint64(value));
}

static Json *hex_text(Bytes bytes)
{
    g_autofree char *hex = hex_encode(bytes);
    return json_new_text(hex);
}

static Json *guid_text(Bytes guid)
{
    char text[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(guid, text);
    return json_new_text(text);
}

/* Every text value goes through upstream's transform; what is no UTF-8 is shown with U+FFFD. NULs
 * inside stay. */
static Json *event_text(Bytes bytes)
{
    g_autoptr(GString) text = uefi_text_transform(bytes);
    g_autoptr(GString) valid = g_string_sized_new(text->len);
    Bytes rest = bytes_of(text->str, text->len);
    while (rest.size > 0) {
        Bytes part = uefi_text_before_nul(rest);
        g_autofree char *made = g_utf8_make_valid((const char *)part.data, (gssize)part.size);
        g_string_append(valid, made);
        size_t used = MIN(part.size + 1, rest.size);
        if (used > part.size)
            g_string_append_c(valid, '\0');
        rest = bytes_of(rest.data + used, rest.size - used);
    }
    return json_object_new_string_len(valid->str, (int)valid->len);
}

static Json *utf16_text(Bytes units)
{
    g_autofree char *text = uefi_text_from_utf16(units);
    return event_text(bytes_of_text(text));
}

static Json *object_with_text(const char *name, Bytes bytes)
{
    Json *object = json_object_new_object();
    json_add(object, name, event_text(bytes));
    return object;
}

static Json *enabled(bool yes)
{
    Json *object = json_object_new_object();
    json_add_text(object, "Enabled", yes ? "Yes" : "No");
    return object;
}

/* Upstream's empty lists are null. */
static Json *null_if_empty(Json *array)
{
    if (json_object_array_length(array) > 0)
        return array;
    json_object_put(array);
    return NULL;
}

/* --- variables ---------------------------------------------------------------------------------*/

static Json *signature(Bytes owner, Bytes data)
{
    Json *object = json_object_new_object();
    json_add(object, "SignatureOwner", guid_text(owner));
    json_add(object, "SignatureData", hex_text(data));
    return object;
}

static Json *one_signature(Bytes data)
{
    Reader reader = reader_of(data);
    Bytes owner = BYTES_EMPTY;
    Json *array = json_object_new_array();
    if (reader_take(&reader, UEFI_GUID_SIZE, &owner))
        json_object_array_add(array, signature(owner, reader.rest));
    return array;
}

static Json *signature_list(UefiSignatureList *list)
{
    Json *object = json_object_new_object();
    Json *keys = json_object_new_array();
    UefiSignature entry;
    while (uefi_signature_next(list, &entry))
        json_object_array_add(keys, signature(entry.owner, entry.data));
    json_add(object, "SignatureType", guid_text(list->type));
    add_uint(object, "SignatureListSize", list->list_size);
    add_uint(object, "SignatureHeaderSize", list->header_size);
    add_uint(object, "SignatureSize", list->signature_size);
    json_add(object, "Keys", null_if_empty(keys));
    return object;
}

static Json *signature_lists(Bytes data)
{
    Json *array = json_object_new_array();
    Reader reader = reader_of(data);
    UefiSignatureList list;
    while (uefi_signature_list_next(&reader, &list))
        json_object_array_add(array, signature_list(&list));
    return null_if_empty(array);
}

static Json *boot_order(Bytes data)
{
    Json *array = json_object_new_array();
    Reader reader = reader_of(data);
    uint16_t number;
    while (reader_u16_le(&reader, &number)) {
        char name[16];
        g_snprintf(name, sizeof name, "Boot%04x", number);
        json_object_array_add(array, json_new_text(name));
    }
    return null_if_empty(array);
}

static Json *load_option(Bytes data)
{
    UefiLoadOption option;
    if (!uefi_load_option_parse(data, &option))
        return NULL;
    Json *object = enabled(option.attributes & 1);
    add_uint(object, "FilePathListLength", option.path_length);
    json_add(object, "Description", utf16_text(option.description));
    json_add(object, "DevicePath", hex_text(option.path));
    return object;
}

static Json *variable_data(UefiVariableForm form, Bytes data)
{
    switch (form) {
    case UEFI_VARIABLE_SIGNATURE_LISTS:
        return signature_lists(data);
    case UEFI_VARIABLE_SIGNATURE:
        return one_signature(data);
    case UEFI_VARIABLE_FLAG:
        return enabled(uefi_variable_flag(data));
    case UEFI_VARIABLE_TEXT:
        return object_with_text("String", data);
    case UEFI_VARIABLE_BOOT_ORDER:
        return boot_order(data);
    case UEFI_VARIABLE_LOAD_OPTION:
        return load_option(data);
    case UEFI_VARIABLE_OPAQUE:
        break;
    }
    return hex_text(data);
}

static Json *variable_event(const UefiEvent *event)
{
    UefiVariable variable;
    if (!uefi_variable_parse(event->data, &variable))
        return NULL;
    UefiVariableForm form = uefi_variable_form(event->type, &variable);
    Json *object = json_object_new_object();
    json_add(object, "VariableName", guid_text(variable.guid));
    add_uint(object, "UnicodeNameLength", variable.name_length);
    add_uint(object, "VariableDataLength", variable.data.size);
    json_add(object, "UnicodeName", utf16_text(variable.name));
    if (form != UEFI_VARIABLE_OPAQUE || variable.data.size > 0)
        json_add(object, "VariableData", variable_data(form, variable.data));
    return object;
}

/* --- firmware, images, partition tables --------------------------------------------------------*/

static void add_blob(Json *object, const UefiFirmwareBlob *blob)
{
    add_uint(object, "BlobBase", blob->base);
    add_uint(object, "BlobLength", blob->length);
}

static Json *firmware_blob(Bytes data)
{
    UefiFirmwareBlob blob;
    if (!uefi_firmware_blob_parse(data, &blob))
        return NULL;
    Json *object = json_object_new_object();
    add_blob(object, &blob);
    return object;
}

static Json *firmware_blob2(Bytes data)
{
    UefiFirmwareBlob2 blob;
    if (!uefi_firmware_blob2_parse(data, &blob))
        return NULL;
    Json *object = json_object_new_object();
    add_uint(object, "BlobDescriptionSize", blob.description.size);
    json_add(object, "BlobDescription", hex_text(blob.description));
    add_blob(object, &blob.blob);
    return object;
}

static Json *image_event(Bytes data)
{
    UefiImageLoad image;
    if (!uefi_image_load_parse(data, &image))
        return NULL;
    g_autofree char *path = uefi_device_path_text(image.path);
    Json *object = json_object_new_object();
    add_uint(object, "ImageLocationInMemory", image.location);
    add_uint(object, "ImageLengthInMemory", image.length);
    add_uint(object, "ImageLinkTimeAddress", image.link_time_address);
    add_uint(object, "LengthOfDevicePath", image.path_length);
    json_add(object, "DevicePath", path ? event_text(bytes_of_text(path)) : hex_text(image.data));
    return object;
}

static Json *gpt_header(const UefiGpt *gpt)
{
    Json *object = json_object_new_object();
    json_add(object, "Signature", event_text(uefi_text_before_nul(gpt->signature)));
    add_uint(object, "Revision", gpt->revision);
    add_uint(object, "HeaderSize", gpt->header_size);
    add_uint(object, "HeaderCRC32", gpt->header_crc);
    add_uint(object, "MyLBA", gpt->my_lba);
    add_uint(object, "AlternateLBA", gpt->alternate_lba);
    add_uint(object, "FirstUsableLBA", gpt->first_usable_lba);
    add_uint(object, "LastUsableLBA", gpt->last_usable_lba);
    json_add(object, "DiskGUID", guid_text(gpt->disk_guid));
    add_uint(object, "PartitionEntryLBA", gpt->entries_lba);
    add_uint(object, "NumberOfPartitionEntry", gpt->entry_count);
    add_uint(object, "SizeOfPartitionEntry", gpt->entry_size);
    add_uint(object, "PartitionEntryArrayCRC32", gpt->entries_crc);
    return object;
}

static Json *gpt_partition(const UefiPartition *partition)
{
    g_autofree char *name = uefi_text_from_utf16(partition->name);
    Json *object = json_object_new_object();
    json_add(object, "PartitionTypeGUID", guid_text(partition->type_guid));
    json_add(object, "UniquePartitionGUID", guid_text(partition->unique_guid));
    add_uint(object, "StartingLBA", partition->first_lba);
    add_uint(object, "EndingLBA", partition->last_lba);
    add_uint(object, "Attributes", partition->attributes);
    json_add(object, "PartitionName",
             event_text(bytes_of_text(g_str_is_ascii(name) ? name : "(null)")));
    return object;
}

static Json *gpt_event(Bytes data)
{
    UefiGpt gpt;
    UefiPartition partition;
    if (!uefi_gpt_parse(data, &gpt))
        return NULL;
    Json *partitions = json_object_new_array();
    while (uefi_gpt_next(&gpt, &partition))
        json_object_array_add(partitions, gpt_partition(&partition));
    Json *object = json_object_new_object();
    json_add(object, "Header", gpt_header(&gpt));
    add_uint(object, "NumberOfPartitions", gpt.partition_count);
    json_add(object, "Partitions", null_if_empty(partitions));
    return object;
}

static Json *no_action(const UefiEvent *event)
{
    uint8_t locality;
    if (!uefi_startup_locality(event, &locality))
        return hex_text(bytes_of(event->data.data, MIN(event->data.size, MAX_HEX_BYTES)));
    Json *object = json_object_new_object();
    add_uint(object, "StartupLocality", locality);
    return object;
}

/* --- events ------------------------------------------------------------------------------------*/

/* The member `Event` of an event with data. */
static Json *event_member(const UefiEvent *event)
{
    if (uefi_event_is_variable(event->type))
        return variable_event(event);
    if (uefi_event_is_image(event->type))
        return image_event(event->data);
    switch (event->type) {
    case EV_POST_CODE:
        return event->data.size == UEFI_FIRMWARE_BLOB_SIZE
                   ? firmware_blob(event->data)
                   : event_text(uefi_text_before_nul(event->data));
    case EV_S_CRTM_CONTENTS:
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
        return firmware_blob(event->data);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        return firmware_blob2(event->data);
    case EV_EFI_ACTION:
    case EV_EFI_HCRTM_EVENT:
        return event_text(uefi_text_before_nul(event->data));
    case EV_IPL:
        return object_with_text("String", event->data);
    case EV_EFI_GPT_EVENT:
        return gpt_event(event->data);
    case EV_NO_ACTION:
        return no_action(event);
    default:
        return hex_text(bytes_of(event->data.data, MIN(event->data.size, MAX_HEX_BYTES)));
    }
}

char *uefi_json_algorithm(uint16_t algorithm)
{
    const char *name = uefi_bank_name(algorithm);
    return name ? g_strdup(name) : g_strdup_printf("0x%04x", algorithm);
}

static Json *digests(const UefiEvent *event)
{
    Json *array = json_object_new_array();
    for (size_t i = 0; i < event->digest_count; i++) {
        g_autofree char *name = uefi_json_algorithm(event->digest[i].algorithm);
        Json *digest = json_object_new_object();
        json_add_text(digest, "AlgorithmId", name);
        json_add(digest, "Digest", hex_text(event->digest[i].value));
        json_object_array_add(array, digest);
    }
    return null_if_empty(array);
}

Json *uefi_json_event(const UefiEvent *event)
{
    Json *object = json_object_new_object();
    add_uint(object, "EventNum", event->number);
    add_uint(object, "PCRIndex", event->pcr);
    json_add_text(object, "EventType", uefi_event_type_name(event->type));
    add_uint(object, "DigestCount", event->digest_count);
    json_add(object, "Digests", digests(event));
    add_uint(object, "EventSize", event->data.size);
    if (event->data.size > 0)
        json_add(object, "Event", event_member(event));
    return object;
}

static Json *header_algorithms(const UefiLog *log)
{
    Json *array = json_object_new_array();
    for (size_t i = 0; i < log->bank_count; i++) {
        g_autofree char *position = g_strdup_printf("Algorithm[%zu]", i);
        g_autofree char *name = uefi_json_algorithm(log->bank[i].algorithm);
        Json *entry = json_object_new_object();
        json_add_null(entry, position);
        json_add_text(entry, "algorithmId", name);
        add_uint(entry, "digestSize", log->bank[i].digest_size);
        json_object_array_add(array, entry);
    }
    return array;
}

static Json *spec_id(const UefiLog *log)
{
    Json *object = json_object_new_object();
    json_add(object, "Signature", event_text(uefi_text_before_nul(log->signature)));
    add_uint(object, "platformClass", log->platform_class);
    add_uint(object, "specVersionMinor", log->version_minor);
    add_uint(object, "specVersionMajor", log->version_major);
    add_uint(object, "specErrata", log->errata);
    add_uint(object, "uintnSize", log->uintn_size);
    add_uint(object, "numberOfAlgorithms", log->bank_count);
    json_add(object, "Algorithms", header_algorithms(log));
    add_uint(object, "vendorInfoSize", log->vendor_info.size);
    if (log->vendor_info.size > 0)
        json_add(object, "vendorInfo", hex_text(log->vendor_info));
    return object;
}

Json *uefi_json_header(const UefiLog *log)
{
    static const uint8_t zeros[20];
    Json *list = json_object_new_array();
    json_object_array_add(list, spec_id(log));
    Json *object = json_object_new_object();
    add_uint(object, "EventNum", 0);
    add_uint(object, "PCRIndex", 0);
    json_add_text(object, "EventType", uefi_event_type_name(EV_NO_ACTION));
    json_add(object, "Digest", hex_text(BYTES_OF_ARRAY(zeros)));
    add_uint(object, "EventSize", log->header_size);
    json_add(object, "SpecID", list);
    return object;
}
