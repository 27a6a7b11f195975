/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names with their allowed digests, packed: each name lies with its digests in one block, found
 * through an open-addressing table. Built once, then immutable.
 *
 * A name's digests are sorted and searched by halving, so that a million for one name cost a
 * look-up twenty steps.
 */
#pragma once

#include "base/bytes.h"

typedef struct DigestMap DigestMap;

/* What is found of a name. */
typedef enum { DIGEST_MAP_NO_NAME, DIGEST_MAP_OTHER_DIGEST, DIGEST_MAP_FOUND } DigestMapResult;

/* Collects names before the map is built. A name must be added once only. */
typedef struct DigestMapBuilder DigestMapBuilder;
DigestMapBuilder *digest_map_builder_new(void);
void digest_map_builder_free(DigestMapBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DigestMapBuilder, digest_map_builder_free)
void digest_map_builder_name(DigestMapBuilder *builder, Bytes name);
/* A digest, of 1 to 64 bytes, of the last name. */
void digest_map_builder_digest(DigestMapBuilder *builder, Bytes digest);
/* All names and digests together must be below 4 GiB. Leaves the builder empty. */
DigestMap *digest_map_build(DigestMapBuilder *builder);

void digest_map_free(DigestMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DigestMap, digest_map_free)

/*
 * Hints that a name is looked for soon, so that what the search reads is fetched into the
 * processor's cache meanwhile: first its slot, and some hundred nanoseconds later its record.
 */
void digest_map_prefetch_slot(const DigestMap *map, Bytes name);
void digest_map_prefetch_record(const DigestMap *map, Bytes name);
DigestMapResult digest_map_find(const DigestMap *map, Bytes name, Bytes digest);
size_t digest_map_size(const DigestMap *map);
/* Up to `most` digests of a name, hex, NULL-terminated, newly allocated. */
char **digest_map_digests(const DigestMap *map, Bytes name, size_t most);
/* Bytes of memory taken. */
size_t digest_map_memory(const DigestMap *map);
