/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up machines for the benchmark of IMA: a list, the quote at its end, and a policy that it
 * passes. Names have about 50 bytes, digests are SHA-256, template hashes SHA-1.
 */
#pragma once

#include "evidence/ima/appraisal.h"

typedef enum { LIST_PLAIN, LIST_SIGNED_RSA, LIST_SIGNED_P256 } ListKind;

/* A key that signs files. */
typedef struct {
    EVP_PKEY *pkey; /* NULL: none */
    GBytes *public; /* SubjectPublicKeyInfo */
    uint32_t id;
} ListKey;

ListKey list_key_new(ListKind kind);
void list_key_clear(ListKey *key);

typedef struct {
    GString *text;
    uint8_t pcr[32];     /* SHA-256 bank, after the last entry */
    GByteArray *floor;   /* template data, one after the other, */
    GArray *floor_sizes; /* and how long each is (gsize) */
    ListKind kind;
    size_t entries;
} List;

/* `entries` files, the first of which is boot_aggregate. `key` signs the others, unless it has no
 * pkey: then they are ima-ng. */
List *list_new(size_t entries, const ListKey *key, ListKind kind);
void list_free(List *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(List, list_free)

/* JSON text of a policy of `digests` paths in all: those of the first `listed` entries of any list,
 * and others; and of these patterns and this verification key, which may be NULL. */
GString *policy_text_new(size_t digests, size_t listed, const char *excludes, const ListKey *key);

/* CPU seconds for only hashing: template data twice (SHA-1, SHA-256), and the extension. */
double list_floor_seconds(const List *list);
