/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/digest_map.h"

#include "base/encoding.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DIGEST 64
#define UNIT 4 /* records are addressed in units of this many bytes, so that 32 bits do */

/*
 * A record, at a multiple of UNIT: RecordHead, the name, filled up to UNIT, then `run_count` times
 * a RunHead with its digests of one length, filled up to UNIT.
 */
typedef struct {
    uint32_t name_size, run_count;
} RecordHead;

typedef struct {
    uint32_t digest_size, digest_count;
} RunHead;

struct DigestMap {
    uint8_t *records;
    size_t records_size;
    uint32_t *slots; /* 1 + unit of the record; 0: free */
    size_t mask;     /* number of slots - 1 */
    size_t size;
    uint64_t seed; /* so that names cannot be chosen to collide */
};

struct DigestMapBuilder {
    GByteArray *records;
    GArray *starts;      /* of size_t: where each record begins */
    GByteArray *digests; /* of the open name: MAX_DIGEST + 1 bytes each, the length first */
};

static size_t filled_up(size_t size)
{
    return (size + UNIT - 1) / UNIT * UNIT;
}

/* --- hashing ------------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, eight bytes at a time; keyed. */
static uint64_t hash_name(uint64_t seed, Bytes name)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = seed ^ name.size;
    const uint8_t *at = name.data;
    size_t left = name.size;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = mix(hash ^ word, factor);
    }
    uint64_t tail = 0;
    if (left > 0)
        memcpy(&tail, at, left);
    return mix(hash ^ tail, factor ^ seed);
}

/* --- building -----------------------------------------------------------------------------------
 */

DigestMapBuilder *digest_map_builder_new(void)
{
    DigestMapBuilder *builder = g_new0(DigestMapBuilder, 1);
    builder->records = g_byte_array_new();
    builder->starts = g_array_new(FALSE, FALSE, sizeof(size_t));
    builder->digests = g_byte_array_new();
    return builder;
}

void digest_map_builder_free(DigestMapBuilder *builder)
{
    if (!builder)
        return;
    g_byte_array_unref(builder->records);
    g_array_unref(builder->starts);
    g_byte_array_unref(builder->digests);
    g_free(builder);
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, MAX_DIGEST + 1);
}

static void fill_up(GByteArray *records)
{
    static const uint8_t zeros[UNIT] = {0};
    bytes_append(records, bytes_of(zeros, filled_up(records->len) - records->len));
}

/* Writes the digests of one length, which lie together after sorting, each once; their number. */
static size_t write_run(DigestMapBuilder *builder, const uint8_t *first, size_t left)
{
    RunHead run = {.digest_size = first[0]};
    guint head_at = builder->records->len;
    bytes_append(builder->records, bytes_of(&run, sizeof run));
    size_t taken = 0;
    for (; taken < left && first[taken * (MAX_DIGEST + 1)] == run.digest_size; taken++) {
        const uint8_t *digest = first + taken * (MAX_DIGEST + 1);
        if (taken > 0 && compare_digests(digest - (MAX_DIGEST + 1), digest) == 0)
            continue;
        bytes_append(builder->records, bytes_of(digest + 1, run.digest_size));
        run.digest_count++;
    }
    fill_up(builder->records);
    memcpy(builder->records->data + head_at, &run, sizeof run);
    return taken;
}

/* Completes the record of the open name. */
static void close_name(DigestMapBuilder *builder)
{
    size_t left = builder->digests->len / (MAX_DIGEST + 1);
    if (left == 0)
        return;
    qsort(builder->digests->data, left, MAX_DIGEST + 1, compare_digests);
    uint32_t run_count = 0;
    const uint8_t *at = builder->digests->data;
    while (left > 0) {
        size_t taken = write_run(builder, at, left);
        at += taken * (MAX_DIGEST + 1);
        left -= taken;
        run_count++;
    }
    size_t start = g_array_index(builder->starts, size_t, builder->starts->len - 1);
    memcpy(builder->records->data + start + offsetof(RecordHead, run_count), &run_count,
           sizeof run_count);
    g_byte_array_set_size(builder->digests, 0);
}

void digest_map_builder_name(DigestMapBuilder *builder, Bytes name)
{
    close_name(builder);
    size_t start = builder->records->len;
    g_array_append_val(builder->starts, start);
    RecordHead head = {.name_size = (uint32_t)name.size};
    bytes_append(builder->records, bytes_of(&head, sizeof head));
    bytes_append(builder->records, name);
    fill_up(builder->records);
}

void digest_map_builder_digest(DigestMapBuilder *builder, Bytes digest)
{
    g_assert(builder->starts->len > 0 && digest.size > 0 && digest.size <= MAX_DIGEST);
    uint8_t padded[MAX_DIGEST + 1] = {(uint8_t)digest.size};
    memcpy(padded + 1, digest.data, digest.size);
    bytes_append(builder->digests, BYTES_OF_ARRAY(padded));
}

static const RecordHead *record_at(const DigestMap *map, uint32_t slot)
{
    return (const RecordHead *)(const void *)(map->records + (size_t)(slot - 1) * UNIT);
}

static Bytes record_name(const RecordHead *record)
{
    return bytes_of(record + 1, record->name_size);
}

/* Never more than two thirds full, so that a search soon meets a free slot. */
static size_t slots_for(size_t names)
{
    size_t slots = 4;
    while (slots < names + names / 2)
        slots *= 2;
    return slots;
}

DigestMap *digest_map_build(DigestMapBuilder *builder)
{
    close_name(builder);
    DigestMap *map = g_new0(DigestMap, 1);
    map->size = builder->starts->len;
    map->seed = (uint64_t)g_random_int() << 32 | g_random_int();
    map->mask = slots_for(map->size) - 1;
    map->slots = g_new0(uint32_t, map->mask + 1);
    gsize size;
    map->records = g_byte_array_steal(builder->records, &size);
    map->records = g_realloc(map->records, size); /* the array grew by doubling */
    map->records_size = size;
    for (guint i = 0; i < builder->starts->len; i++) {
        uint32_t slot = (uint32_t)(g_array_index(builder->starts, size_t, i) / UNIT) + 1;
        size_t at = hash_name(map->seed, record_name(record_at(map, slot))) & map->mask;
        while (map->slots[at] != 0)
            at = (at + 1) & map->mask;
        map->slots[at] = slot;
    }
    g_array_set_size(builder->starts, 0);
    return map;
}

void digest_map_free(DigestMap *map)
{
    if (!map)
        return;
    g_free(map->records);
    g_free(map->slots);
    g_free(map);
}

/* --- finding ------------------------------------------------------------------------------------
 */

void digest_map_prefetch_slot(const DigestMap *map, Bytes name)
{
    __builtin_prefetch(&map->slots[hash_name(map->seed, name) & map->mask]);
}

void digest_map_prefetch_record(const DigestMap *map, Bytes name)
{
    uint32_t slot = map->slots[hash_name(map->seed, name) & map->mask];
    if (slot == 0)
        return;
    /* Name and digest of most records lie in two or three lines of the cache. */
    const uint8_t *record = (const uint8_t *)record_at(map, slot);
    __builtin_prefetch(record);
    __builtin_prefetch(record + 64);
    __builtin_prefetch(record + 128);
}

static const RecordHead *find_record(const DigestMap *map, Bytes name)
{
    size_t at = hash_name(map->seed, name) & map->mask;
    for (; map->slots[at] != 0; at = (at + 1) & map->mask) {
        const RecordHead *record = record_at(map, map->slots[at]);
        if (bytes_equal(record_name(record), name))
            return record;
    }
    return NULL;
}

static const RunHead *first_run(const RecordHead *record)
{
    const uint8_t *name = (const uint8_t *)(record + 1);
    return (const RunHead *)(const void *)(name + filled_up(record->name_size));
}

static const uint8_t *run_digest(const RunHead *run, size_t index)
{
    return (const uint8_t *)(run + 1) + index * run->digest_size;
}

static const RunHead *next_run(const RunHead *run)
{
    const uint8_t *digests = (const uint8_t *)(run + 1);
    return (const RunHead *)(const void *)(digests +
                                           filled_up((size_t)run->digest_size * run->digest_count));
}

static bool run_holds(const RunHead *run, Bytes digest)
{
    size_t low = 0, high = run->digest_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(digest.data, run_digest(run, middle), run->digest_size);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

DigestMapResult digest_map_find(const DigestMap *map, Bytes name, Bytes digest)
{
    const RecordHead *record = find_record(map, name);
    if (!record)
        return DIGEST_MAP_NO_NAME;
    const RunHead *run = first_run(record);
    for (uint32_t i = 0; i < record->run_count; i++, run = next_run(run))
        if (run->digest_size == digest.size && run_holds(run, digest))
            return DIGEST_MAP_FOUND;
    return DIGEST_MAP_OTHER_DIGEST;
}

size_t digest_map_size(const DigestMap *map)
{
    return map->size;
}

char **digest_map_digests(const DigestMap *map, Bytes name, size_t most)
{
    GPtrArray *texts = g_ptr_array_new();
    const RecordHead *record = find_record(map, name);
    const RunHead *run = record ? first_run(record) : NULL;
    for (uint32_t i = 0; record && i < record->run_count; i++, run = next_run(run))
        for (uint32_t j = 0; j < run->digest_count && texts->len < most; j++)
            g_ptr_array_add(texts, hex_encode(bytes_of(run_digest(run, j), run->digest_size)));
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}

size_t digest_map_memory(const DigestMap *map)
{
    return sizeof *map + map->records_size + (map->mask + 1) * sizeof *map->slots;
}
