/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in and out of one accepted socket, in clear or through TLS, without ever blocking.
 */
#pragma once

#include "base/bytes.h"

#include <openssl/ssl.h>

typedef struct {
    int fd;
    SSL *ssl; /* NULL = plain */
} Transport;

typedef enum {
    IO_DONE,
    IO_WANT_READ,
    IO_WANT_WRITE,
    IO_CLOSED, /* the peer ended its side */
    IO_FAILED,
} IoOutcome;

/* Takes the non-blocking socket over. `tls` NULL = plain. False when memory is short (fd is
 * closed). */
bool transport_open(Transport *transport, int fd, SSL_CTX *tls);
/* Ends TLS politely if it can be done at once, and closes the socket. */
void transport_close(Transport *transport);

IoOutcome transport_handshake(Transport *transport);
/* The TLS alert by which the peer ended the handshake or the connection; 0 = none. To be asked
 * directly after IO_FAILED. */
int transport_alert(void);

IoOutcome transport_read(Transport *transport, void *out, size_t size, size_t *got);
IoOutcome transport_write(Transport *transport, Bytes bytes, size_t *sent);
/* Bytes have been read from the socket that transport_read() has not handed out: no event tells. */
bool transport_has_pending(const Transport *transport);

/* Tell the peer that nothing more is sent. */
void transport_end_writing(Transport *transport);
/* Throw away what the peer still sends. IO_WANT_READ until it ends; adds to *discarded. */
IoOutcome transport_discard(Transport *transport, size_t *discarded);
