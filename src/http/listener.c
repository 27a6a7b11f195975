/* SPDX-License-Identifier: Apache-2.0 */
#include "http/listener.h"

#include "http/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024

static int bind_socket(const struct addrinfo *address, bool share, bool listening)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 ||
        (listening && listen(fd, BACKLOG) != 0)) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static unsigned port_of(int fd)
{
    /* Large enough for both families, and the port stands at the same place in both. */
    struct sockaddr_in6 bound = {0};
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
        return 0;
    return ntohs(bound.sin6_port);
}

static void set_port(struct addrinfo *address, unsigned port)
{
    if (address->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)address->ai_addr)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address->ai_addr)->sin_port = htons((uint16_t)port);
}

/* False with errno set. */
static bool open_sockets(Listener *listener, struct addrinfo *address)
{
    /* SO_REUSEPORT would let a second server of the same user share the port unnoticed; a socket
     * without it finds one that is there already. */
    int probe = bind_socket(address, false, true);
    if (probe < 0)
        return false;
    listener->port = port_of(probe);
    close(probe);
    set_port(address, listener->port);
    for (unsigned i = 0; i < listener->count; i++) {
        listener->sockets[i] = bind_socket(address, true, true);
        if (listener->sockets[i] < 0)
            return false;
    }
    return true;
}

/* What helps; "" for what is not met in practice. */
static const char *listen_remedy(int reason)
{
    switch (reason) {
    case EADDRINUSE:
        return ": stop the program that has this port (ss -ltnp names it), or choose another port";
    case EADDRNOTAVAIL:
        return ": it is no address of this machine; set the option ip to one of them, or to "
               "0.0.0.0";
    case EACCES:
        return ": ports below 1024 need root or CAP_NET_BIND_SERVICE; choose another port";
    default:
        return "";
    }
}

Listener *listener_open(const char *address, unsigned port, unsigned count, SSL_CTX *tls,
                        GError **error)
{
    char service[16];
    g_snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(address, service, &hints, &found);
    if (result != 0) {
        g_set_error(error, HTTP_SERVER_ERROR, HTTP_SERVER_ERROR_LISTEN,
                    "cannot listen on %s:%u: %s: is the option ip right?", address, port,
                    gai_strerror(result));
        return NULL;
    }
    Listener *listener = g_new0(Listener, 1);
    g_mutex_init(&listener->lock);
    listener->sockets = g_new(int, count);
    listener->count = count;
    for (unsigned i = 0; i < count; i++)
        listener->sockets[i] = -1;
    listener->encrypted = tls != NULL;
    if (tls && SSL_CTX_up_ref(tls) == 1)
        listener->tls = tls;
    bool opened = open_sockets(listener, found);
    int reason = errno;
    freeaddrinfo(found);
    if (!opened) {
        g_set_error(error, HTTP_SERVER_ERROR, HTTP_SERVER_ERROR_LISTEN,
                    "cannot listen on %s:%u: %s%s", address, port, g_strerror(reason),
                    listen_remedy(reason));
        g_clear_pointer(&listener, listener_free);
    }
    return listener;
}

void listener_free(Listener *listener)
{
    if (!listener)
        return;
    for (unsigned i = 0; i < listener->count; i++) {
        if (listener->sockets[i] >= 0)
            close(listener->sockets[i]);
    }
    g_free(listener->sockets);
    SSL_CTX_free(listener->tls);
    g_mutex_clear(&listener->lock);
    g_free(listener);
}

SSL_CTX *listener_tls(Listener *listener)
{
    g_mutex_lock(&listener->lock);
    SSL_CTX *tls = listener->tls;
    if (tls)
        SSL_CTX_up_ref(tls);
    g_mutex_unlock(&listener->lock);
    return tls;
}

void listener_replace_tls(Listener *listener, SSL_CTX *tls)
{
    SSL_CTX_up_ref(tls);
    g_mutex_lock(&listener->lock);
    SSL_CTX *old = listener->tls;
    listener->tls = tls;
    g_mutex_unlock(&listener->lock);
    SSL_CTX_free(old);
}
