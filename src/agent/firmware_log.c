/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.logs"

#include "agent/firmware_log.h"

#include "base/log.h"
#include "evidence/uefi/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK_SIZE ((size_t)64 * 1024)

/* The kernel's files say nothing of their size beforehand. NULL: *problem says why. */
static GBytes *read_whole(const char *path, const char **problem)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && content->len <= UEFI_LOG_MAX_SIZE) {
        guint old = content->len;
        g_byte_array_set_size(content, old + (guint)CHUNK_SIZE);
        do
            got = read(fd, content->data + old, CHUNK_SIZE);
        while (got < 0 && errno == EINTR);
        g_byte_array_set_size(content, old + (guint)MAX(got, 0));
    }
    *problem = got < 0                            ? g_strerror(errno)
               : content->len > UEFI_LOG_MAX_SIZE ? "more than 16 MiB, which no verifier takes"
               : content->len == 0                ? "the file is empty"
                                                  : NULL;
    if (fd >= 0)
        close(fd);
    return *problem ? NULL : g_byte_array_free_to_bytes(g_steal_pointer(&content));
}

/* For the verifier's information only: a log that cannot be parsed here is the verifier's to judge.
 */
static guint64 count_events(const char *path, Bytes bytes)
{
    const UefiLogRules rules = UEFI_LOG_RULES_UPSTREAM;
    g_autoptr(GError) error = NULL;
    UefiLog log;
    if (uefi_log_parse(bytes, &rules, &log, &error))
        return log.event_count;
    log_warning("The measured boot log %s cannot be parsed and is sent as it is: %s", path,
                error->message);
    return 0;
}

void firmware_log_read(const char *path, FirmwareLog *out)
{
    const char *problem;
    *out = (FirmwareLog){.bytes = read_whole(path, &problem)};
    if (!out->bytes) {
        log_warning("Measured boot log not available: %s: %s; UEFI evidence is not offered", path,
                    problem);
        return;
    }
    out->events = count_events(path, bytes_of_gbytes(out->bytes));
    log_info("Opened and cached measured boot log: %s (%" G_GSIZE_FORMAT " bytes)", path,
             g_bytes_get_size(out->bytes));
}

void firmware_log_clear(FirmwareLog *log)
{
    g_clear_pointer(&log->bytes, g_bytes_unref);
    log->events = 0;
}
