/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/event_meaning.h"

#include "base/encoding.h"
#include "evidence/uefi/device_path.h"
#include "evidence/uefi/event_data.h"
#include "evidence/uefi/gpt.h"
#include "evidence/uefi/guid.h"
#include "evidence/uefi/signature_list.h"
#include "evidence/uefi/text.h"
#include "evidence/uefi/variable.h"

#include <string.h>

#define MAX_HEX_BYTES 32
#define MAX_PARTITIONS 16

/* UTF-8 made safe to print: a control or format character (a terminal's escape, a change of
 * direction) is shown as its number. */
static void append_printable(GString *out, Bytes text)
{
    g_autofree char *valid = g_utf8_make_valid((const char *)text.data, (gssize)text.size);
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar letter = g_utf8_get_char(at);
        if (g_unichar_isprint(letter) && g_unichar_type(letter) != G_UNICODE_FORMAT)
            g_string_append_unichar(out, letter);
        else if (letter == '\n')
            g_string_append(out, "\\n");
        else
            g_string_append_printf(out, letter < 0x100 ? "\\x%02x" : "\\u%04x", letter);
    }
}

static void append_text(GString *out, Bytes text)
{
    g_string_append_c(out, '"');
    append_printable(out, uefi_text_before_nul(text));
    g_string_append_c(out, '"');
}

static void append_utf16(GString *out, Bytes units)
{
    g_autofree char *text = uefi_text_from_utf16(units);
    append_text(out, bytes_of_text(text));
}

static void append_guid(GString *out, Bytes guid)
{
    char text[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(guid, text);
    g_string_append(out, text);
}

static void append_bytes(GString *out, Bytes data)
{
    g_autofree char *hex = hex_encode(bytes_of(data.data, MIN(data.size, MAX_HEX_BYTES)));
    g_string_append(out, hex);
    if (data.size > MAX_HEX_BYTES)
        g_string_append_printf(out, "... (%zu bytes)", data.size);
}

static void append_path(GString *out, Bytes path)
{
    g_autofree char *text = uefi_device_path_text(path);
    if (text)
        append_printable(out, bytes_of_text(text));
    else
        append_bytes(out, path);
}

/* A text in UTF-8 or UTF-16, or bytes: EV_IPL and others carry what their writer likes. */
static void append_text_or_bytes(GString *out, Bytes data)
{
    bool utf16 = data.size >= 2 && data.data[0] != 0 && data.data[1] == 0;
    if (utf16)
        append_utf16(out, data);
    else if (uefi_text_before_nul(data).size > 0 && uefi_text_is_utf8(uefi_text_before_nul(data)))
        append_text(out, data);
    else
        append_bytes(out, data);
}

/* --- variables ---------------------------------------------------------------------------------*/

typedef enum { KEYS_X509, KEYS_SHA256, KEYS_OTHER, KEY_KINDS } KeyKind;

static KeyKind kind_of(Bytes type)
{
    if (uefi_guid_is(type, "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"))
        return KEYS_X509;
    return uefi_guid_is(type, "c1c41626-504c-4092-aca9-41f936934328") ? KEYS_SHA256 : KEYS_OTHER;
}

static void append_signature_lists(GString *out, Bytes data)
{
    static const char *const names[KEY_KINDS] = {"X.509 certificate", "SHA-256 hash", "other key"};
    static const char *const plurals[KEY_KINDS] = {"s", "es", "s"};
    size_t count[KEY_KINDS] = {0};
    Reader reader = reader_of(data);
    UefiSignatureList list;
    while (uefi_signature_list_next(&reader, &list)) {
        UefiSignature entry;
        while (uefi_signature_next(&list, &entry))
            count[kind_of(list.type)]++;
    }
    const char *separator = "";
    for (int kind = 0; kind < KEY_KINDS; kind++) {
        if (count[kind] == 0)
            continue;
        g_string_append_printf(out, "%s%zu %s%s", separator, count[kind], names[kind],
                               count[kind] == 1 ? "" : plurals[kind]);
        separator = ", ";
    }
    if (!*separator)
        g_string_append(out, "no keys");
}

static void append_signature(GString *out, Bytes data)
{
    g_string_append(out, "owner ");
    append_guid(out, bytes_of(data.data, UEFI_GUID_SIZE));
    g_string_append_printf(out, ", %zu bytes", data.size - UEFI_GUID_SIZE);
}

static void append_boot_order(GString *out, Bytes data)
{
    Reader reader = reader_of(data);
    uint16_t number;
    for (bool first = true; reader_u16_le(&reader, &number); first = false)
        g_string_append_printf(out, "%sBoot%04x", first ? "" : ", ", number);
}

static void append_load_option(GString *out, Bytes data)
{
    UefiLoadOption option;
    if (!uefi_load_option_parse(data, &option))
        return;
    append_utf16(out, option.description);
    g_string_append(out, option.attributes & 1 ? ", active, " : ", not active, ");
    append_path(out, bytes_of(option.path.data, MIN(option.path_length, option.path.size)));
}

static void append_variable_data(GString *out, UefiVariableForm form, Bytes data)
{
    switch (form) {
    case UEFI_VARIABLE_SIGNATURE_LISTS:
        append_signature_lists(out, data);
        break;
    case UEFI_VARIABLE_SIGNATURE:
        append_signature(out, data);
        break;
    case UEFI_VARIABLE_FLAG:
        g_string_append(out, uefi_variable_flag(data) ? "on" : "off");
        break;
    case UEFI_VARIABLE_TEXT:
        append_text(out, data);
        break;
    case UEFI_VARIABLE_BOOT_ORDER:
        append_boot_order(out, data);
        break;
    case UEFI_VARIABLE_LOAD_OPTION:
        append_load_option(out, data);
        break;
    case UEFI_VARIABLE_OPAQUE:
        append_bytes(out, data);
        break;
    }
}

static void append_variable(GString *out, const UefiEvent *event)
{
    UefiVariable variable;
    if (!uefi_variable_parse(event->data, &variable))
        return;
    g_autofree char *name = uefi_variable_name(&variable);
    append_printable(out, bytes_of_text(name));
    UefiVariableForm form = uefi_variable_form(event->type, &variable);
    g_string_append(out, form == UEFI_VARIABLE_SIGNATURE ? " verified an image: " : " = ");
    append_variable_data(out, form, variable.data);
}

/* --- the others --------------------------------------------------------------------------------*/

static void append_image(GString *out, const UefiEvent *event)
{
    UefiImageLoad image;
    if (!uefi_image_load_parse(event->data, &image))
        return;
    gsize before = out->len;
    append_path(out, image.path);
    if (out->len == before)
        g_string_append(out, "an image in memory");
    g_string_append_printf(out, ", %" G_GUINT64_FORMAT " bytes", image.length);
}

static void append_blob(GString *out, const UefiFirmwareBlob *blob)
{
    g_string_append_printf(
        out, "firmware volume at 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT " bytes",
        blob->base, blob->length);
}

static void append_firmware(GString *out, const UefiEvent *event)
{
    UefiFirmwareBlob blob;
    UefiFirmwareBlob2 blob2;
    if (event->type != EV_EFI_PLATFORM_FIRMWARE_BLOB2) {
        if (uefi_firmware_blob_parse(event->data, &blob))
            append_blob(out, &blob);
    } else if (uefi_firmware_blob2_parse(event->data, &blob2)) {
        append_text_or_bytes(out, blob2.description);
        g_string_append(out, ", ");
        append_blob(out, &blob2.blob);
    }
}

static void append_gpt(GString *out, const UefiEvent *event)
{
    UefiGpt gpt;
    UefiPartition partition;
    if (!uefi_gpt_parse(event->data, &gpt))
        return;
    g_string_append(out, "partition table of disk ");
    append_guid(out, gpt.disk_guid);
    g_string_append_printf(out, ", %" G_GUINT64_FORMAT " partitions", gpt.partition_count);
    for (unsigned i = 0; i < MAX_PARTITIONS && uefi_gpt_next(&gpt, &partition); i++) {
        g_string_append_c(out, '\n');
        append_guid(out, partition.unique_guid);
        g_string_append_c(out, ' ');
        append_utf16(out, partition.name);
    }
}

static void append_separator(GString *out, Bytes data)
{
    static const uint8_t error[4] = {1, 0, 0, 0};
    if (bytes_equal(data, BYTES_OF_ARRAY(error)))
        g_string_append(out, "an error kept the firmware from measuring");
    else {
        g_string_append(out, "end of what the firmware measures before it boots: ");
        append_bytes(out, data);
    }
}

static void append_no_action(GString *out, const UefiEvent *event)
{
    uint8_t locality;
    if (uefi_startup_locality(event, &locality))
        g_string_append_printf(out, "the TPM was started at locality %u", locality);
    else
        append_text_or_bytes(out, event->data);
}

static void append_other(GString *out, const UefiEvent *event)
{
    switch (event->type) {
    case EV_SEPARATOR:
        append_separator(out, event->data);
        break;
    case EV_NO_ACTION:
        append_no_action(out, event);
        break;
    case EV_EFI_GPT_EVENT:
        append_gpt(out, event);
        break;
    case EV_S_CRTM_CONTENTS:
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        append_firmware(out, event);
        break;
    case EV_POST_CODE:
        if (event->data.size == UEFI_FIRMWARE_BLOB_SIZE)
            append_firmware(out, event);
        else
            append_text(out, event->data);
        break;
    case EV_S_CRTM_VERSION:
    case EV_EFI_ACTION:
    case EV_EFI_HCRTM_EVENT:
    case EV_ACTION:
    case EV_IPL:
        append_text_or_bytes(out, event->data);
        break;
    default:
        append_bytes(out, event->data);
        break;
    }
}

char *event_meaning(const UefiEvent *event)
{
    GString *out = g_string_new(NULL);
    if (event->data.size == 0)
        g_string_append(out, "no data");
    else if (uefi_event_is_variable(event->type))
        append_variable(out, event);
    else if (uefi_event_is_image(event->type))
        append_image(out, event);
    else
        append_other(out, event);
    return g_string_free(out, FALSE);
}
