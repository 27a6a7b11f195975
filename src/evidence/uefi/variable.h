/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UEFI_VARIABLE_DATA, and what is known about the content of some variables (measured-boot §5,
 * §6.4).
 */
#pragma once

#include "base/bytes.h"

typedef struct {
    Bytes guid;
    uint64_t name_length; /* in 16-bit units */
    Bytes name;           /* UTF-16 */
    Bytes data;
} UefiVariable;

/* False when the lengths do not fit the event's data. */
bool uefi_variable_parse(Bytes event_data, UefiVariable *variable);
/* The name, up to its first NUL, is this ASCII text; case matters. */
bool uefi_variable_is_named(const UefiVariable *variable, const char *name);
/* UTF-8, newly allocated. */
char *uefi_variable_name(const UefiVariable *variable);

typedef enum {
    UEFI_VARIABLE_OPAQUE,          /* bytes */
    UEFI_VARIABLE_SIGNATURE_LISTS, /* signature_list.h */
    UEFI_VARIABLE_SIGNATURE,       /* one EFI_SIGNATURE_DATA: owner and data */
    UEFI_VARIABLE_FLAG,            /* at most one byte; none or 0 is "No" */
    UEFI_VARIABLE_TEXT,            /* text.h */
    UEFI_VARIABLE_BOOT_ORDER,      /* 16-bit numbers of Boot#### */
    UEFI_VARIABLE_LOAD_OPTION,
} UefiVariableForm;

/* The form of the variable's data, by event type and name; the GUID is not looked at. */
UefiVariableForm uefi_variable_form(uint32_t event_type, const UefiVariable *variable);
/* NULL, or why data of that form make the log malformed (§6.8). Static. */
const char *uefi_variable_check(UefiVariableForm form, Bytes data);

/* The flag's value. */
bool uefi_variable_flag(Bytes data);

typedef struct {
    uint32_t attributes; /* bit 0: active */
    uint16_t path_length;
    Bytes description; /* UTF-16 without its NUL */
    Bytes path;        /* everything after the description: device paths and optional data */
} UefiLoadOption;

/* False when the fixed part does not fit or the description has no end. */
bool uefi_load_option_parse(Bytes data, UefiLoadOption *option);
