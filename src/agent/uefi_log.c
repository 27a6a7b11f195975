/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.logs"

#include "agent/uefi_log.h"

#include "base/log.h"

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

void uefi_log_read(const char *path, UefiLog *out)
{
    const char *problem;
    *out = (UefiLog){.bytes = read_whole(path, &problem)};
    if (!out->bytes) {
        log_warning("Measured boot log not available: %s: %s; UEFI evidence is not offered", path,
                    problem);
        return;
    }
    log_info("Opened and cached measured boot log: %s (%" G_GSIZE_FORMAT " bytes)", path,
             g_bytes_get_size(out->bytes));
}

void uefi_log_clear(UefiLog *log)
{
    g_clear_pointer(&log->bytes, g_bytes_unref);
    log->events = 0;
}
