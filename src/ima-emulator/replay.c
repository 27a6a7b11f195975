/* SPDX-License-Identifier: Apache-2.0 */
#include "ima-emulator/replay.h"

#include "evidence/ima/template.h"

#include <string.h>

struct Replay {
    uint16_t list_hash;
    size_t count;
    uint16_t bank[EMULATED_MAX_BANKS];
    ImaHasher *hasher[EMULATED_MAX_BANKS];
    GByteArray *memory; /* of the entry in hand */
};

Replay *replay_new(uint16_t list_hash, const uint16_t *banks, size_t count)
{
    Replay *replay = g_new0(Replay, 1);
    replay->list_hash = list_hash;
    replay->count = count;
    replay->memory = g_byte_array_new();
    for (size_t i = 0; i < count; i++) {
        replay->bank[i] = banks[i];
        replay->hasher[i] = ima_hasher_new(list_hash, banks[i]);
        g_assert(replay->hasher[i]);
    }
    return replay;
}

void replay_free(Replay *replay)
{
    if (!replay)
        return;
    for (size_t i = 0; i < replay->count; i++)
        ima_hasher_free(replay->hasher[i]);
    g_byte_array_unref(replay->memory);
    g_free(replay);
}

static bool is_violation(const Replay *replay, const ImaEntry *entry)
{
    return entry->template_hash.size == tpm_hash_size(replay->list_hash) &&
           bytes_are_zero(entry->template_hash);
}

static bool digest_entry(Replay *replay, const ImaEntry *entry, PcrInBanks *digests)
{
    ImaTemplateDigests made;
    for (size_t i = 0; i < replay->count; i++) {
        if (!ima_hasher_entry(replay->hasher[i], entry, &made))
            return false;
        memcpy(digests->value[i], made.extended, tpm_hash_size(replay->bank[i]));
    }
    return bytes_equal(bytes_of(made.column, tpm_hash_size(replay->list_hash)),
                       entry->template_hash);
}

ReplayResult replay_line(Replay *replay, Bytes line, PcrInBanks *digests, char **path,
                         GError **error)
{
    ImaEntry entry;
    *path = NULL;
    if (line.size == 0)
        return REPLAY_SKIPPED;
    g_byte_array_set_size(replay->memory, (guint)ima_entry_memory(line.size));
    const char *problem = ima_entry_parse(line, true, replay->memory->data, &entry);
    if (problem) {
        g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_LIST, "%s", problem);
        return REPLAY_SKIPPED;
    }
    g_autofree char *name = g_strndup((const char *)entry.name.data, entry.name.size);
    *path = g_strescape(name, NULL);
    if (is_violation(replay, &entry)) {
        memset(digests, 0xff, sizeof *digests);
        return REPLAY_MEASURED;
    }
    if (digest_entry(replay, &entry, digests))
        return REPLAY_MEASURED;
    g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_LIST,
                "the template hash of '%s' is no %s of the line: choose the list's with "
                "--ima-hash-alg",
                *path, tpm_algorithm_name(replay->list_hash));
    return REPLAY_WRONG;
}

void replay_extend(Replay *replay, PcrInBanks *pcr, const PcrInBanks *digests)
{
    for (size_t i = 0; i < replay->count; i++)
        ima_hasher_extend(replay->hasher[i], pcr->value[i], digests->value[i]);
}

bool replay_same(const Replay *replay, const PcrInBanks *a, const PcrInBanks *b)
{
    for (size_t i = 0; i < replay->count; i++)
        if (memcmp(a->value[i], b->value[i], tpm_hash_size(replay->bank[i])) != 0)
            return false;
    return true;
}
