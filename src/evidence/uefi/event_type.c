/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/event_type.h"

#include <stddef.h>

#define NAMED(type)                                                                                \
    {                                                                                              \
        type, #type                                                                                \
    }

static const struct {
    uint32_t type;
    const char *name;
} names[] = {
    NAMED(EV_PREBOOT_CERT),
    NAMED(EV_POST_CODE),
    NAMED(EV_UNUSED),
    NAMED(EV_NO_ACTION),
    NAMED(EV_SEPARATOR),
    NAMED(EV_ACTION),
    NAMED(EV_EVENT_TAG),
    NAMED(EV_S_CRTM_CONTENTS),
    NAMED(EV_S_CRTM_VERSION),
    NAMED(EV_CPU_MICROCODE),
    NAMED(EV_PLATFORM_CONFIG_FLAGS),
    NAMED(EV_TABLE_OF_DEVICES),
    NAMED(EV_COMPACT_HASH),
    NAMED(EV_IPL),
    NAMED(EV_IPL_PARTITION_DATA),
    NAMED(EV_NONHOST_CODE),
    NAMED(EV_NONHOST_CONFIG),
    NAMED(EV_NONHOST_INFO),
    NAMED(EV_OMIT_BOOT_DEVICE_EVENTS),
    NAMED(EV_EFI_VARIABLE_DRIVER_CONFIG),
    NAMED(EV_EFI_VARIABLE_BOOT),
    NAMED(EV_EFI_BOOT_SERVICES_APPLICATION),
    NAMED(EV_EFI_BOOT_SERVICES_DRIVER),
    NAMED(EV_EFI_RUNTIME_SERVICES_DRIVER),
    NAMED(EV_EFI_GPT_EVENT),
    NAMED(EV_EFI_ACTION),
    NAMED(EV_EFI_PLATFORM_FIRMWARE_BLOB),
    NAMED(EV_EFI_HANDOFF_TABLES),
    NAMED(EV_EFI_PLATFORM_FIRMWARE_BLOB2),
    NAMED(EV_EFI_HANDOFF_TABLES2),
    NAMED(EV_EFI_VARIABLE_BOOT2),
    NAMED(EV_EFI_HCRTM_EVENT),
    NAMED(EV_EFI_VARIABLE_AUTHORITY),
};

static const char *name_of(uint32_t type)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL;
}

const char *uefi_event_type_name(uint32_t type)
{
    const char *name = name_of(type);
    return name ? name : "Unknown event type";
}

bool uefi_event_type_is_known(uint32_t type)
{
    return name_of(type) != NULL;
}
