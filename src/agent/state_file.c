/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/state_file.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(keylime - state - file - error, state_file_error)

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

GBytes *state_file_read(const char *path, GError **error)
{
    __attribute__((cleanup(close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        if (errno != ENOENT)
            g_set_error(error, STATE_FILE_ERROR, STATE_FILE_ERROR_READ, "cannot read %s: %s", path,
                        g_strerror(errno));
        return NULL;
    }
    struct stat status;
    int reason = fstat(fd, &status) == 0 ? 0 : errno;
    if (reason == 0 && status.st_size > STATE_FILE_MAX)
        reason = EFBIG;
    /* One block, which never moves: the content may be a secret. */
    gsize room = reason == 0 ? (gsize)status.st_size + 1 : 1, size = 0;
    uint8_t *content = g_malloc0(room);
    while (reason == 0) {
        ssize_t got = read(fd, content + size, room - size);
        if (got == 0)
            return secret_bytes_take(g_bytes_new_take(content, size));
        if (got > 0)
            size += (gsize)got;
        if (size == room)
            reason = EFBIG; /* it grows while it is read */
        else if (got < 0 && errno != EINTR)
            reason = errno;
    }
    secret_wipe(content, room);
    g_free(content);
    g_set_error(error, STATE_FILE_ERROR, STATE_FILE_ERROR_READ, "cannot read %s: %s", path,
                g_strerror(reason));
    return NULL;
}

static bool write_all(int fd, Bytes content)
{
    while (content.size > 0) {
        ssize_t written = write(fd, content.data, content.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        content.data += written;
        content.size -= (size_t)written;
    }
    return fsync(fd) == 0;
}

/* The rename is durable only when the directory is. */
static void sync_directory(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    __attribute__((cleanup(close_fd))) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

bool state_file_write(const char *path, Bytes content, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.tmp", path);
    (void)unlink(temporary); /* left by a crash; O_EXCL below refuses to follow anything else */
    __attribute__((cleanup(close_fd))) int fd =
        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0 || !write_all(fd, content) ||
        rename(temporary, path) != 0) {
        int reason = errno;
        if (fd >= 0)
            (void)unlink(temporary);
        g_set_error(error, STATE_FILE_ERROR, STATE_FILE_ERROR_WRITE,
                    "cannot write %s: %s (the directory must be writable by the agent's user)",
                    path, g_strerror(reason));
        return false;
    }
    sync_directory(path);
    return true;
}

char *state_boot_id(void)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
        return g_strdup("unknown");
    return g_strdup(g_strstrip(text));
}
