/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret keys behind stateless session challenges: random, in the database, shared by all
 * replicas, one for each day, the previous day's kept (decision D31).
 */
#pragma once

#include "base/timestamp.h"
#include "store/database.h"

#define SERVER_KEY_SIZE 32

typedef struct ServerKeys ServerKeys;

/* Reads the keys, making today's if there is none. The database must outlive the result. */
ServerKeys *server_keys_open(Database *database, GError **error);
void server_keys_free(ServerKeys *keys);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ServerKeys, server_keys_free)

/* Copies of the keys in force, the newest first: that one makes, all of them check. */
typedef struct {
    size_t count; /* 1 or 2 */
    uint8_t secret[2][SERVER_KEY_SIZE];
} ServerKeySet;

/*
 * The keys at `now`, from memory; once a day the database is asked, and when it does not answer the
 * present keys go on. Thread-safe. Wipe the copy with server_key_set_wipe().
 */
void server_keys_get(ServerKeys *keys, Timestamp now, ServerKeySet *out);
/*
 * Something does not check with the keys in memory: another replica may have made one. Reads the
 * database, at most once a second whoever asks; true when the keys have changed.
 */
bool server_keys_refresh(ServerKeys *keys, Timestamp now);

void server_key_set_wipe(ServerKeySet *set);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ServerKeySet, server_key_set_wipe)
