/* SPDX-License-Identifier: Apache-2.0 */
#include "http/transport.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

/* OpenSSL reports a received alert as this plus the alert's number. */
#define ALERT_REASON_OFFSET 1000

bool transport_open(Transport *transport, int fd, SSL_CTX *tls)
{
    *transport = (Transport){.fd = fd};
    if (!tls)
        return true;
    SSL *ssl = SSL_new(tls);
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        close(fd);
        transport->fd = -1;
        return false;
    }
    SSL_set_accept_state(ssl);
    /* Idle connections are many: they give their record buffers (34 KiB) back. Reading ahead saves
     * a system call a record. A buffer that grows may move between two attempts to write it. */
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_read_ahead(ssl, 1);
    SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    transport->ssl = ssl;
    return true;
}

void transport_close(Transport *transport)
{
    if (transport->ssl) {
        if (SSL_is_init_finished(transport->ssl))
            SSL_shutdown(transport->ssl);
        SSL_free(transport->ssl);
        ERR_clear_error();
    }
    if (transport->fd >= 0)
        close(transport->fd);
    *transport = (Transport){.fd = -1};
}

static IoOutcome outcome_of_ssl(SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return IO_CLOSED;
    default:
        /* After a fatal error OpenSSL must not be asked to shut the connection down. */
        SSL_set_quiet_shutdown(ssl, 1);
        return IO_FAILED;
    }
}

static IoOutcome outcome_of_errno(IoOutcome blocked)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? blocked : IO_FAILED;
}

IoOutcome transport_handshake(Transport *transport)
{
    if (!transport->ssl)
        return IO_DONE;
    ERR_clear_error();
    int result = SSL_do_handshake(transport->ssl);
    return result == 1 ? IO_DONE : outcome_of_ssl(transport->ssl, result);
}

int transport_alert(void)
{
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return 0;
    int reason = ERR_GET_REASON(code);
    return reason > ALERT_REASON_OFFSET && reason < ALERT_REASON_OFFSET + 256
               ? reason - ALERT_REASON_OFFSET
               : 0;
}

IoOutcome transport_read(Transport *transport, void *out, size_t size, size_t *got)
{
    *got = 0;
    if (transport->ssl) {
        ERR_clear_error();
        int result = SSL_read_ex(transport->ssl, out, size, got);
        return result == 1 ? IO_DONE : outcome_of_ssl(transport->ssl, result);
    }
    ssize_t result = recv(transport->fd, out, size, 0);
    if (result < 0)
        return outcome_of_errno(IO_WANT_READ);
    *got = (size_t)result;
    return result == 0 ? IO_CLOSED : IO_DONE;
}

IoOutcome transport_write(Transport *transport, Bytes bytes, size_t *sent)
{
    *sent = 0;
    if (transport->ssl) {
        ERR_clear_error();
        int result = SSL_write_ex(transport->ssl, bytes.data, bytes.size, sent);
        return result == 1 ? IO_DONE : outcome_of_ssl(transport->ssl, result);
    }
    ssize_t result = send(transport->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (result < 0)
        return outcome_of_errno(IO_WANT_WRITE);
    *sent = (size_t)result;
    return IO_DONE;
}

bool transport_has_pending(const Transport *transport)
{
    return transport->ssl && SSL_has_pending(transport->ssl);
}

void transport_end_writing(Transport *transport)
{
    if (transport->ssl) {
        ERR_clear_error();
        SSL_shutdown(transport->ssl);
    }
    shutdown(transport->fd, SHUT_WR);
}

IoOutcome transport_discard(Transport *transport, size_t *discarded)
{
    /* Below TLS: what is thrown away need not be decrypted. */
    uint8_t scratch[16 * 1024];
    for (int i = 0; i < 64; i++) {
        ssize_t result = recv(transport->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (result < 0)
            return outcome_of_errno(IO_WANT_READ);
        if (result == 0)
            return IO_CLOSED;
        *discarded += (size_t)result;
    }
    return IO_WANT_READ;
}
