/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the lines of a measurement list to what the kernel would extend (ima §3, push-agent §17).
 */
#pragma once

#include "ima-emulator/emulated_pcr.h"

typedef struct Replay Replay;

/* `list_hash`: of the list's second column. */
Replay *replay_new(uint16_t list_hash, const uint16_t *banks, size_t count);
void replay_free(Replay *replay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Replay, replay_free)

typedef enum {
    REPLAY_SKIPPED,  /* nothing to extend: a blank line, or one that does not parse (*error) */
    REPLAY_MEASURED, /* *digests is what to extend with, and *path shows what was measured */
    REPLAY_WRONG, /* the second column is no hash of the line: another --ima-hash-alg? (*error) */
} ReplayResult;

/* One line without its line end. *path is newly allocated, printable. */
ReplayResult replay_line(Replay *replay, Bytes line, PcrInBanks *digests, char **path,
                         GError **error);

/* pcr := H(pcr || digest) in each bank. */
void replay_extend(Replay *replay, PcrInBanks *pcr, const PcrInBanks *digests);
bool replay_same(const Replay *replay, const PcrInBanks *a, const PcrInBanks *b);
