/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/gpt.h"

#include "evidence/uefi/guid.h"

enum { PARTITION_SIZE = 128, PARTITION_NAME_SIZE = 72, SIGNATURE_SIZE = 8 };

bool uefi_gpt_parse(Bytes event_data, UefiGpt *gpt)
{
    Reader reader = reader_of(event_data);
    uint32_t reserved;
    bool fits =
        reader_take(&reader, SIGNATURE_SIZE, &gpt->signature) &&
        reader_u32_le(&reader, &gpt->revision) && reader_u32_le(&reader, &gpt->header_size) &&
        reader_u32_le(&reader, &gpt->header_crc) && reader_u32_le(&reader, &reserved) &&
        reader_u64_le(&reader, &gpt->my_lba) && reader_u64_le(&reader, &gpt->alternate_lba) &&
        reader_u64_le(&reader, &gpt->first_usable_lba) &&
        reader_u64_le(&reader, &gpt->last_usable_lba) &&
        reader_take(&reader, UEFI_GUID_SIZE, &gpt->disk_guid) &&
        reader_u64_le(&reader, &gpt->entries_lba) && reader_u32_le(&reader, &gpt->entry_count) &&
        reader_u32_le(&reader, &gpt->entry_size) && reader_u32_le(&reader, &gpt->entries_crc) &&
        reader_u64_le(&reader, &gpt->partition_count);
    gpt->partitions = reader;
    return fits && reader.rest.size % PARTITION_SIZE == 0 &&
           reader.rest.size / PARTITION_SIZE == gpt->partition_count;
}

bool uefi_gpt_next(UefiGpt *gpt, UefiPartition *partition)
{
    Reader *reader = &gpt->partitions;
    return reader_take(reader, UEFI_GUID_SIZE, &partition->type_guid) &&
           reader_take(reader, UEFI_GUID_SIZE, &partition->unique_guid) &&
           reader_u64_le(reader, &partition->first_lba) &&
           reader_u64_le(reader, &partition->last_lba) &&
           reader_u64_le(reader, &partition->attributes) &&
           reader_take(reader, PARTITION_NAME_SIZE, &partition->name);
}
