/* SPDX-License-Identifier: Apache-2.0 */
#include "log_builder.h"

#include "base/encoding.h"
#include "evidence/uefi/bank.h"

#include <string.h>

static const uint16_t usual[] = {TPM_ALG_SHA1, TPM_ALG_SHA256};

GByteArray *log_builder_new(void)
{
    return log_builder_new_with(usual, G_N_ELEMENTS(usual));
}

GByteArray *log_builder_new_with(const uint16_t *algorithms, size_t count)
{
    static const uint8_t zeros[20];
    static const uint8_t signature[16] = "Spec ID Event03";
    GByteArray *log = g_byte_array_new();
    append_u32_le(log, 0);
    append_u32_le(log, EV_NO_ACTION);
    bytes_append(log, BYTES_OF_ARRAY(zeros));
    append_u32_le(log, (uint32_t)(29 + 4 * count));
    bytes_append(log, BYTES_OF_ARRAY(signature));
    append_u32_le(log, 0);
    append_u8(log, 0);
    append_u8(log, 2);
    append_u8(log, 0);
    append_u8(log, 2);
    append_u32_le(log, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        append_u16_le(log, algorithms[i]);
        append_u16_le(log, (uint16_t)uefi_bank_digest_size(algorithms[i]));
    }
    append_u8(log, 0);
    return log;
}

void log_builder_add_frame(GByteArray *log, uint32_t pcr, uint32_t type, uint32_t digest_count)
{
    append_u32_le(log, pcr);
    append_u32_le(log, type);
    append_u32_le(log, digest_count);
}

void log_builder_add_digest(GByteArray *log, uint16_t algorithm, Bytes measured)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int done =
        EVP_Digest(measured.data, measured.size, digest, &size, uefi_bank_md(algorithm), NULL);
    g_assert(done == 1);
    append_u16_le(log, algorithm);
    bytes_append(log, bytes_of(digest, size));
}

void log_builder_add_data(GByteArray *log, Bytes data)
{
    append_u32_le(log, (uint32_t)data.size);
    bytes_append(log, data);
}

void log_builder_add_measuring(GByteArray *log, uint32_t pcr, uint32_t type, Bytes data,
                               Bytes measured)
{
    log_builder_add_frame(log, pcr, type, G_N_ELEMENTS(usual));
    for (size_t i = 0; i < G_N_ELEMENTS(usual); i++)
        log_builder_add_digest(log, usual[i], measured);
    log_builder_add_data(log, data);
}

void log_builder_add(GByteArray *log, uint32_t pcr, uint32_t type, Bytes data)
{
    log_builder_add_measuring(log, pcr, type, data, data);
}

static void append_u64_le(GByteArray *array, uint64_t value)
{
    append_u32_le(array, (uint32_t)value);
    append_u32_le(array, (uint32_t)(value >> 32));
}

GByteArray *log_builder_variable(const char *guid_hex, const char *name, Bytes data)
{
    GByteArray *variable = g_byte_array_new();
    g_autoptr(GBytes) guid = hex_decode(guid_hex);
    bytes_append(variable, bytes_of_gbytes(guid));
    append_u64_le(variable, strlen(name));
    append_u64_le(variable, data.size);
    for (; *name; name++)
        append_u16_le(variable, (uint8_t)*name);
    bytes_append(variable, data);
    return variable;
}
