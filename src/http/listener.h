/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One address and port, opened once for every I/O thread (SO_REUSEPORT), so that the kernel spreads
 * connections and no thread waits for another.
 */
#pragma once

#include <glib.h>
#include <openssl/ssl.h>
#include <stdbool.h>

typedef struct {
    int *sockets; /* one per I/O thread; -1 once its thread has taken it over */
    unsigned count;
    unsigned port; /* as bound */
    bool encrypted;
    GMutex lock; /* for `tls` */
    SSL_CTX *tls;
} Listener;

/* `address`: numeric or a name; `port` 0 = the system's choice. `tls` NULL = plain; a reference is
 * taken. The error (HTTP_SERVER_ERROR) names address and port. */
Listener *listener_open(const char *address, unsigned port, unsigned count, SSL_CTX *tls,
                        GError **error);
void listener_free(Listener *listener);
/* New reference to the context of new connections; NULL = plain. */
SSL_CTX *listener_tls(Listener *listener);
void listener_replace_tls(Listener *listener, SSL_CTX *tls);
