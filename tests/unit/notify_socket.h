/* SPDX-License-Identifier: Apache-2.0 */
/* A service manager's end of $NOTIFY_SOCKET, for tests. cmocka.h comes first. */
#pragma once

#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    int fd;
    char *directory, *path;
} NotifySocket;

/* Sets $NOTIFY_SOCKET, and $WATCHDOG_USEC to `watchdog_us` (a number as text). */
static inline NotifySocket notify_socket_open(const char *watchdog_us)
{
    NotifySocket end = {.directory = g_dir_make_tmp("notify-XXXXXX", NULL)};
    end.path = g_build_filename(end.directory, "notify", NULL);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, end.path, sizeof address.sun_path);
    end.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(end.fd >= 0);
    assert_int_equal(bind(end.fd, (struct sockaddr *)&address, sizeof address), 0);
    g_setenv("NOTIFY_SOCKET", end.path, TRUE);
    g_setenv("WATCHDOG_USEC", watchdog_us, TRUE);
    return end;
}

/* Everything that has been received, one message a line; newly allocated. */
static inline char *notify_socket_read(NotifySocket *end)
{
    GString *all = g_string_new(NULL);
    char message[256];
    ssize_t size;
    while ((size = recv(end->fd, message, sizeof message, MSG_DONTWAIT)) > 0) {
        g_string_append_len(all, message, size);
        g_string_append_c(all, '\n');
    }
    return g_string_free(all, FALSE);
}

static inline void notify_socket_close(NotifySocket *end)
{
    g_unsetenv("NOTIFY_SOCKET");
    g_unsetenv("WATCHDOG_USEC");
    close(end->fd);
    unlink(end->path);
    rmdir(end->directory);
    g_free(end->path);
    g_free(end->directory);
}
