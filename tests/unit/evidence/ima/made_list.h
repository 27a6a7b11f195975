/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurement lists made for a test, with the template hashes and the PCR 10 that a kernel would
 * have made. Known answers prove the hashing itself; here it is only used.
 */
#pragma once

#include "evidence/ima/appraisal.h"

typedef struct {
    GString *text;
    guint64 entries;
    uint8_t pcr[TPM_MAX_DIGEST]; /* SHA-256 bank, after the last entry */
} MadeList;

MadeList *made_list_new(void);
void made_list_free(MadeList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MadeList, made_list_free)

/* A line from its third column on: "ima-ng sha256:<hex> /path". */
void made_list_add(MadeList *list, const char *rest);
/* ima-ng with a digest of 32 equal bytes. */
void made_list_add_file(MadeList *list, const char *path, uint8_t digest_byte);
/* A violation: zeros for hashes. */
void made_list_add_violation(MadeList *list, const char *path);
/* ima-buf whose digest is that of the buffer. */
void made_list_add_buffer(MadeList *list, const char *name, Bytes buffer);

/* An input that quotes PCR 10 where the list now ends. */
ImaInput made_list_input(const MadeList *list, const RuntimePolicy *policy);

/* Of JSON texts: "\"/a\":[\"<hex>\"]", "\"/tmp/.*\"", ... */
RuntimePolicy *made_policy(const char *digests, const char *excludes, const char *keyrings,
                           const char *verification_keys);
/* 64 digits of 32 equal bytes; static until the next call but one. */
const char *made_digest(uint8_t byte);
/* Event ids of the kept failures, separated by blanks; newly allocated. */
char *events_of(const Verdict *verdict);
