/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event types of TCG PC Client event logs and their names (measured-boot §4.4). A log may carry any
 * 32-bit value; the unknown ones are kept as numbers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    EV_PREBOOT_CERT = 0x00,
    EV_POST_CODE = 0x01,
    EV_UNUSED = 0x02,
    EV_NO_ACTION = 0x03,
    EV_SEPARATOR = 0x04,
    EV_ACTION = 0x05,
    EV_EVENT_TAG = 0x06,
    EV_S_CRTM_CONTENTS = 0x07,
    EV_S_CRTM_VERSION = 0x08,
    EV_CPU_MICROCODE = 0x09,
    EV_PLATFORM_CONFIG_FLAGS = 0x0A,
    EV_TABLE_OF_DEVICES = 0x0B,
    EV_COMPACT_HASH = 0x0C,
    EV_IPL = 0x0D,
    EV_IPL_PARTITION_DATA = 0x0E,
    EV_NONHOST_CODE = 0x0F,
    EV_NONHOST_CONFIG = 0x10,
    EV_NONHOST_INFO = 0x11,
    EV_OMIT_BOOT_DEVICE_EVENTS = 0x12,
};

/* Beyond the range of an enumerator of int. */
#define EV_EFI_VARIABLE_DRIVER_CONFIG UINT32_C(0x80000001)
#define EV_EFI_VARIABLE_BOOT UINT32_C(0x80000002)
#define EV_EFI_BOOT_SERVICES_APPLICATION UINT32_C(0x80000003)
#define EV_EFI_BOOT_SERVICES_DRIVER UINT32_C(0x80000004)
#define EV_EFI_RUNTIME_SERVICES_DRIVER UINT32_C(0x80000005)
#define EV_EFI_GPT_EVENT UINT32_C(0x80000006)
#define EV_EFI_ACTION UINT32_C(0x80000007)
#define EV_EFI_PLATFORM_FIRMWARE_BLOB UINT32_C(0x80000008)
#define EV_EFI_HANDOFF_TABLES UINT32_C(0x80000009)
#define EV_EFI_PLATFORM_FIRMWARE_BLOB2 UINT32_C(0x8000000A)
#define EV_EFI_HANDOFF_TABLES2 UINT32_C(0x8000000B)
#define EV_EFI_VARIABLE_BOOT2 UINT32_C(0x8000000C)
#define EV_EFI_HCRTM_EVENT UINT32_C(0x80000010)
#define EV_EFI_VARIABLE_AUTHORITY UINT32_C(0x800000E0)

/* "EV_IPL"; "Unknown event type" for a value that has no name. Static. */
const char *uefi_event_type_name(uint32_t type);
/* It has a name. */
bool uefi_event_type_is_known(uint32_t type);
