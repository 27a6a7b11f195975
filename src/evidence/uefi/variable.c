/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/variable.h"

#include "evidence/uefi/event_type.h"
#include "evidence/uefi/guid.h"
#include "evidence/uefi/signature_list.h"
#include "evidence/uefi/text.h"

#include <string.h>

bool uefi_variable_parse(Bytes event_data, UefiVariable *variable)
{
    Reader reader = reader_of(event_data);
    uint64_t data_length;
    return reader_take(&reader, UEFI_GUID_SIZE, &variable->guid) &&
           reader_u64_le(&reader, &variable->name_length) && reader_u64_le(&reader, &data_length) &&
           /* Before it is doubled: 2^63 units would become 0 bytes. */
           variable->name_length <= reader.rest.size / 2 &&
           reader_take(&reader, (size_t)variable->name_length * 2, &variable->name) &&
           data_length <= reader.rest.size &&
           reader_take(&reader, (size_t)data_length, &variable->data);
}

bool uefi_variable_is_named(const UefiVariable *variable, const char *name)
{
    size_t length = strlen(name), units = variable->name.size / 2;
    const uint8_t *unit = variable->name.data;
    if (units < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (unit[2 * i] != (uint8_t)name[i] || unit[2 * i + 1] != 0)
            return false;
    return units == length || (unit[2 * length] == 0 && unit[2 * length + 1] == 0);
}

char *uefi_variable_name(const UefiVariable *variable)
{
    return uefi_text_from_utf16(variable->name);
}

/* "Boot" and exactly four hexadecimal digits. */
static bool names_boot_entry(const UefiVariable *variable)
{
    g_autofree char *name = NULL;
    if (variable->name.size < 16 || variable->name.data[0] != 'B')
        return false;
    name = uefi_variable_name(variable);
    if (strlen(name) != 8 || !g_str_has_prefix(name, "Boot"))
        return false;
    return strspn(name + 4, "0123456789abcdefABCDEF") == 4;
}

static bool is_any_of(const UefiVariable *variable, const char *const *names)
{
    for (; *names; names++)
        if (uefi_variable_is_named(variable, *names))
            return true;
    return false;
}

static UefiVariableForm driver_config_form(const UefiVariable *variable)
{
    static const char *const lists[] = {"PK", "KEK", "db", "dbx", NULL};
    if (is_any_of(variable, lists))
        return UEFI_VARIABLE_SIGNATURE_LISTS;
    return uefi_variable_is_named(variable, "SecureBoot") ? UEFI_VARIABLE_FLAG
                                                          : UEFI_VARIABLE_OPAQUE;
}

static UefiVariableForm authority_form(const UefiVariable *variable)
{
    static const char *const signatures[] = {"db", "Shim", "vendor_db", NULL};
    if (is_any_of(variable, signatures))
        return UEFI_VARIABLE_SIGNATURE;
    if (uefi_variable_is_named(variable, "MokListTrusted"))
        return UEFI_VARIABLE_FLAG;
    return uefi_variable_is_named(variable, "SbatLevel") ? UEFI_VARIABLE_TEXT
                                                         : UEFI_VARIABLE_OPAQUE;
}

static UefiVariableForm boot_form(const UefiVariable *variable)
{
    if (uefi_variable_is_named(variable, "BootOrder"))
        return UEFI_VARIABLE_BOOT_ORDER;
    return names_boot_entry(variable) ? UEFI_VARIABLE_LOAD_OPTION : UEFI_VARIABLE_OPAQUE;
}

UefiVariableForm uefi_variable_form(uint32_t event_type, const UefiVariable *variable)
{
    switch (event_type) {
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
        return driver_config_form(variable);
    case EV_EFI_VARIABLE_AUTHORITY:
        return authority_form(variable);
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
        return boot_form(variable);
    default:
        return UEFI_VARIABLE_OPAQUE;
    }
}

const char *uefi_variable_check(UefiVariableForm form, Bytes data)
{
    UefiLoadOption option;
    switch (form) {
    case UEFI_VARIABLE_SIGNATURE_LISTS:
        return uefi_signature_lists_fit(data) ? NULL : "a signature list is longer than its data";
    case UEFI_VARIABLE_SIGNATURE:
        return data.size >= UEFI_GUID_SIZE ? NULL : "a signature is shorter than its owner";
    case UEFI_VARIABLE_FLAG:
        return data.size <= 1 ? NULL : "a flag has more than one byte";
    case UEFI_VARIABLE_BOOT_ORDER:
        return data.size % 2 == 0 ? NULL : "BootOrder has an odd length";
    case UEFI_VARIABLE_LOAD_OPTION:
        return uefi_load_option_parse(data, &option) ? NULL
                                                     : "a load option's description has no end";
    case UEFI_VARIABLE_TEXT:
    case UEFI_VARIABLE_OPAQUE:
        break;
    }
    return NULL;
}

bool uefi_variable_flag(Bytes data)
{
    return data.size > 0 && data.data[0] != 0;
}

bool uefi_load_option_parse(Bytes data, UefiLoadOption *option)
{
    Reader reader = reader_of(data);
    if (!reader_u32_le(&reader, &option->attributes) ||
        !reader_u16_le(&reader, &option->path_length))
        return false;
    option->description = bytes_of(reader.rest.data, 0);
    uint16_t unit;
    while (reader_u16_le(&reader, &unit)) {
        if (unit == 0) {
            option->path = reader.rest;
            return true;
        }
        option->description.size += 2;
    }
    return false;
}
