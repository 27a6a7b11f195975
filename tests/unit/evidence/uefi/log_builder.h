/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes event logs for tests: the header, then events, whose digests are the hash of their data
 * unless a test says otherwise.
 */
#pragma once

#include "evidence/uefi/event_log.h"

/* A header that declares SHA-1 and SHA-256. */
GByteArray *log_builder_new(void);
/* A header with other algorithms. */
GByteArray *log_builder_new_with(const uint16_t *algorithms, size_t count);

/* An event with digests of its data for SHA-1 and SHA-256. */
void log_builder_add(GByteArray *log, uint32_t pcr, uint32_t type, Bytes data);
/* The same, digests over `measured`. */
void log_builder_add_measuring(GByteArray *log, uint32_t pcr, uint32_t type, Bytes data,
                               Bytes measured);
/* The parts of an event, for those that are made wrong. */
void log_builder_add_frame(GByteArray *log, uint32_t pcr, uint32_t type, uint32_t digest_count);
void log_builder_add_digest(GByteArray *log, uint16_t algorithm, Bytes measured);
void log_builder_add_data(GByteArray *log, Bytes data);

/* UEFI_VARIABLE_DATA. `name` is ASCII. */
GByteArray *log_builder_variable(const char *guid_hex, const char *name, Bytes data);
