/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.ima_emulator"

#include "ima-emulator/emulator.h"

#include "base/encoding.h"
#include "base/log.h"
#include "ima-emulator/replay.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_MS 200

typedef struct {
    const EmulatorSettings *settings;
    FILE *list;
    char *line; /* getline()'s */
    size_t line_room;
    guint64 line_number;
    EmulatedPcr *pcr;
    Replay *replay;
    GMainLoop *loop;
    GError *error;
} Emulator;

/* --- the list ------------------------------------------------------------------------------ */

/* The next complete line; false at the present end. A line without its end is left for later. */
static bool next_line(Emulator *emulator, Bytes *out)
{
    long start = ftell(emulator->list);
    errno = 0;
    ssize_t size = getline(&emulator->line, &emulator->line_room, emulator->list);
    if (size > 0 && emulator->line[size - 1] == '\n') {
        emulator->line_number++;
        *out = bytes_of(emulator->line, (size_t)size - 1);
        return true;
    }
    clearerr(emulator->list);
    if (size > 0)
        (void)fseek(emulator->list, start, SEEK_SET);
    return false;
}

static bool open_list(Emulator *emulator, GError **error)
{
    emulator->list = fopen(emulator->settings->path, "re");
    if (!emulator->list)
        g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_LIST, "cannot read %s: %s",
                    emulator->settings->path, g_strerror(errno));
    return emulator->list != NULL;
}

/* False when the list cannot be what the TPM is to be extended with. *measured: there is something
 * to extend. */
static bool take_line(Emulator *emulator, Bytes line, PcrInBanks *digests, char **path,
                      bool *measured, GError **error)
{
    g_autoptr(GError) problem = NULL;
    ReplayResult result = replay_line(emulator->replay, line, digests, path, &problem);
    *measured = result == REPLAY_MEASURED;
    if (!problem)
        return true;
    if (result == REPLAY_SKIPPED) {
        log_warning("%s:%" G_GUINT64_FORMAT ": left out: %s", emulator->settings->path,
                    emulator->line_number, problem->message);
        return true;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&problem), "%s:%" G_GUINT64_FORMAT ": ",
                               emulator->settings->path, emulator->line_number);
    return false;
}

/* --- where the TPM stands ------------------------------------------------------------------- */

/* Reads on until the replay of the list is what the TPM holds. */
static bool find_position(Emulator *emulator, GError **error)
{
    PcrInBanks held;
    PcrInBanks running = {0};
    if (!emulated_pcr_read(emulator->pcr, &held, error))
        return false;
    if (replay_same(emulator->replay, &running, &held))
        return true;
    Bytes line;
    while (next_line(emulator, &line)) {
        PcrInBanks digests;
        g_autofree char *path = NULL;
        bool measured;
        if (!take_line(emulator, line, &digests, &path, &measured, error))
            return false;
        if (!measured)
            continue;
        replay_extend(emulator->replay, &running, &digests);
        if (replay_same(emulator->replay, &running, &held)) {
            printf("Located last IMA file updated: %s\n", path);
            return true;
        }
    }
    g_set_error(error, EMULATOR_ERROR, EMULATOR_ERROR_LIST,
                "no line of %s leads to what PCR 10 holds: reset the emulated TPM",
                emulator->settings->path);
    return false;
}

/* --- work ----------------------------------------------------------------------------------- */

static bool extend_line(Emulator *emulator, Bytes line, GError **error)
{
    PcrInBanks digests;
    g_autofree char *path = NULL;
    bool measured;
    if (!take_line(emulator, line, &digests, &path, &measured, error))
        return false;
    if (!measured)
        return true;
    g_autofree char *hex =
        hex_encode(bytes_of(digests.value[0], tpm_hash_size(emulator->settings->bank[0])));
    printf("extending hash %s for %s\n", hex, path);
    return emulated_pcr_extend(emulator->pcr, &digests, error);
}

static bool extend_new_lines(Emulator *emulator, GError **error)
{
    Bytes line;
    while (next_line(emulator, &line))
        if (!extend_line(emulator, line, error))
            return false;
    return fflush(stdout) == 0;
}

static gboolean poll_list(gpointer data)
{
    Emulator *emulator = data;
    if (extend_new_lines(emulator, &emulator->error))
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(emulator->loop);
    return G_SOURCE_REMOVE;
}

static gboolean stop(gpointer data)
{
    Emulator *emulator = data;
    puts("Shutting down keylime IMA emulator");
    g_main_loop_quit(emulator->loop);
    return G_SOURCE_CONTINUE;
}

static void emulator_clear(Emulator *emulator)
{
    emulated_pcr_close(emulator->pcr);
    replay_free(emulator->replay);
    if (emulator->list)
        fclose(emulator->list);
    free(emulator->line);
    g_clear_pointer(&emulator->loop, g_main_loop_unref);
    g_clear_error(&emulator->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Emulator, emulator_clear)

/* Until a signal. */
static bool follow(Emulator *emulator, GError **error)
{
    emulator->loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGINT, stop, emulator);
    g_unix_signal_add(SIGTERM, stop, emulator);
    g_timeout_add(POLL_MS, poll_list, emulator);
    g_main_loop_run(emulator->loop);
    if (!emulator->error)
        return true;
    g_propagate_error(error, g_steal_pointer(&emulator->error));
    return false;
}

bool emulator_run(const EmulatorSettings *settings, GError **error)
{
    g_auto(Emulator) emulator = {
        .settings = settings,
        .replay = replay_new(settings->list_hash, settings->bank, settings->bank_count),
        .pcr = emulated_pcr_open(settings->bank, settings->bank_count, error),
    };
    if (!emulator.pcr || !open_list(&emulator, error) || !find_position(&emulator, error))
        return false;
    printf("Monitoring %s\n", settings->path);
    return extend_new_lines(&emulator, error) && (settings->once || follow(&emulator, error));
}
