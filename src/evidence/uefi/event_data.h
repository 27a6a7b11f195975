/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smaller structures inside events, and the check that every event's data are what its type
 * promises (measured-boot §5, §6.8). Variables, signature lists, partition tables and device paths
 * have rooms of their own.
 */
#pragma once

#include "evidence/uefi/event_log.h"

/* NULL, or why the event's data make the log malformed. Static. uefi_log_parse() asks it of every
 * event, so each structure of an event of a parsed log can be read. */
const char *uefi_event_data_check(const UefiEvent *event);

/* One of the four types whose data is a UEFI_VARIABLE_DATA. */
bool uefi_event_is_variable(uint32_t type);
/* Applications and drivers, whose data is a UEFI_IMAGE_LOAD_EVENT. */
bool uefi_event_is_image(uint32_t type);

typedef struct {
    uint64_t base, length;
} UefiFirmwareBlob;

typedef struct {
    Bytes description;
    UefiFirmwareBlob blob;
} UefiFirmwareBlob2;

/* UEFI_PLATFORM_FIRMWARE_BLOB at the start of the data; what follows is ignored. */
bool uefi_firmware_blob_parse(Bytes data, UefiFirmwareBlob *blob);
bool uefi_firmware_blob2_parse(Bytes data, UefiFirmwareBlob2 *blob);
/* The data of EV_POST_CODE is such a blob when it has its size, else a text. */
#define UEFI_FIRMWARE_BLOB_SIZE 16

typedef struct {
    uint64_t location, length, link_time_address;
    uint64_t path_length; /* as the event says it */
    Bytes data;           /* everything after the fixed part */
    Bytes path;           /* so much of it as `path_length` says, at most all */
} UefiImageLoad;

bool uefi_image_load_parse(Bytes data, UefiImageLoad *image);

/* The event is a StartupLocality: EV_NO_ACTION with that signature and a locality. It counts for
 * the replay in PCR 0 only; the caller looks at the PCR. */
bool uefi_startup_locality(const UefiEvent *event, uint8_t *locality);
