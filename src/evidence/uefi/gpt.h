/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UEFI_GPT_DATA: the partition table that EV_EFI_GPT_EVENT measures (measured-boot §5).
 */
#pragma once

#include "base/bytes.h"

typedef struct {
    Bytes signature; /* 8 bytes, "EFI PART" */
    uint32_t revision, header_size, header_crc;
    uint64_t my_lba, alternate_lba, first_usable_lba, last_usable_lba;
    Bytes disk_guid;
    uint64_t entries_lba;
    uint32_t entry_count, entry_size, entries_crc; /* of the table on the disk */
    uint64_t partition_count;                      /* of those in the event */
    Reader partitions;                             /* the unread ones */
} UefiGpt;

typedef struct {
    Bytes type_guid, unique_guid;
    uint64_t first_lba, last_lba, attributes;
    Bytes name; /* 36 UTF-16 units */
} UefiPartition;

/* False unless the event is exactly a header, a count, and so many entries. */
bool uefi_gpt_parse(Bytes event_data, UefiGpt *gpt);
bool uefi_gpt_next(UefiGpt *gpt, UefiPartition *partition);
