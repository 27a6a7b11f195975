/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/server_keys.h"

#include "base/log.h"
#include "base/secret.h"

#include <string.h>

#define DAY (86400 * TIMESTAMP_SECOND)
/* Between two tries to reach a database that does not answer, and two refreshes asked for by
 * requests: strangers with made-up session ids must not buy a database query each. */
#define RETRY_INTERVAL (60 * TIMESTAMP_SECOND)
#define REFRESH_INTERVAL TIMESTAMP_SECOND

struct ServerKeys {
    Database *database;
    GMutex lock;
    ServerKeySet set;
    Timestamp good_until; /* the next day's key is made then */
    Timestamp refreshed_at;
};

typedef struct {
    gint64 day;
    Timestamp now;
    ServerKeySet *out;
} Rotation;

static bool read_keys(Connection *connection, ServerKeySet *out, GError **error)
{
    out->count = 0;
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT secret FROM server_keys ORDER BY key_id DESC LIMIT 2", "");
    if (!rows)
        return false;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        Bytes secret = rows_bytes(rows, 0);
        if (secret.size == SERVER_KEY_SIZE && out->count < 2)
            memcpy(out->secret[out->count++], secret.data, SERVER_KEY_SIZE);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    return true;
}

static bool read_work(Connection *connection, gpointer data, GError **error)
{
    return read_keys(connection, data, error);
}

/* A key's id is its day, so that of several replicas that all want today's key one makes it. */
static bool rotate_work(Connection *connection, gpointer data, GError **error)
{
    Rotation *rotation = data;
    uint8_t fresh[SERVER_KEY_SIZE];
    secret_random(fresh, sizeof fresh);
    Bytes secret = BYTES_OF_ARRAY(fresh);
    bool done = sql_run(connection, error,
                        "INSERT INTO server_keys (key_id, secret, created_at) VALUES ($1, $2, $3)"
                        " ON CONFLICT (key_id) DO NOTHING",
                        "ibi", rotation->day, &secret, rotation->now) &&
                sql_run(connection, error, "DELETE FROM server_keys WHERE key_id < $1", "i",
                        rotation->day - 1) &&
                read_keys(connection, rotation->out, error);
    secret_wipe(fresh, sizeof fresh);
    return done;
}

static bool rotate(ServerKeys *keys, Timestamp now, GError **error)
{
    g_auto(ServerKeySet) set = {0};
    Rotation rotation = {.day = now / DAY, .now = now, .out = &set};
    if (!database_write(keys->database, rotate_work, &rotation, error))
        return false;
    g_return_val_if_fail(set.count > 0, false);
    keys->set = set;
    keys->good_until = (rotation.day + 1) * DAY;
    return true;
}

ServerKeys *server_keys_open(Database *database, GError **error)
{
    g_autoptr(ServerKeys) keys = g_new0(ServerKeys, 1);
    keys->database = database;
    g_mutex_init(&keys->lock);
    return rotate(keys, timestamp_now(), error) ? g_steal_pointer(&keys) : NULL;
}

void server_keys_free(ServerKeys *keys)
{
    if (!keys)
        return;
    server_key_set_wipe(&keys->set);
    g_mutex_clear(&keys->lock);
    g_free(keys);
}

void server_keys_get(ServerKeys *keys, Timestamp now, ServerKeySet *out)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&keys->lock);
    if (now >= keys->good_until) {
        g_autoptr(GError) error = NULL;
        if (!rotate(keys, now, &error)) {
            log_warning("Cannot make a new server key, the present one goes on: %s",
                        error->message);
            keys->good_until = now + RETRY_INTERVAL;
        }
    }
    *out = keys->set;
}

bool server_keys_refresh(ServerKeys *keys, Timestamp now)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&keys->lock);
    if (ABS(now - keys->refreshed_at) < REFRESH_INTERVAL)
        return false;
    keys->refreshed_at = now;
    g_auto(ServerKeySet) set = {0};
    g_autoptr(GError) error = NULL;
    if (!database_read(keys->database, read_work, &set, &error)) {
        log_warning("Cannot read the server keys: %s", error->message);
        return false;
    }
    if (set.count == 0 || memcmp(&set, &keys->set, sizeof set) == 0)
        return false;
    keys->set = set;
    return true;
}

void server_key_set_wipe(ServerKeySet *set)
{
    secret_wipe(set, sizeof *set);
}
