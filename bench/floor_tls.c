/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_tls.h"

#include "measure.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXCHANGES 2000
#define HANDSHAKES 200
/* So that each fits the socket's buffer: both ends live in one thread. */
#define BYTES_MAX (64 * 1024)

typedef struct {
    SSL *server, *client;
    int fd[2];
    double server_seconds; /* CPU within calls of the server's end */
} Pair;

static SSL_CTX *server_context(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1)
        g_error("cannot set up the TLS of the floor");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static int server_handshake(Pair *pair)
{
    double before = thread_cpu_seconds();
    int result = SSL_do_handshake(pair->server);
    pair->server_seconds += thread_cpu_seconds() - before;
    return result;
}

static void pair_open(Pair *pair, SSL_CTX *server, SSL_CTX *client)
{
    *pair = (Pair){0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fd) != 0)
        g_error("no socket pair");
    pair->server = SSL_new(server);
    pair->client = SSL_new(client);
    SSL_set_fd(pair->server, pair->fd[0]);
    SSL_set_fd(pair->client, pair->fd[1]);
    SSL_set_read_ahead(pair->server, 1);
    SSL_set_accept_state(pair->server);
    SSL_set_connect_state(pair->client);
    bool client_done = false, server_done = false;
    for (int i = 0; i < 10 && !(client_done && server_done); i++) {
        client_done = SSL_do_handshake(pair->client) == 1;
        server_done = server_handshake(pair) == 1;
    }
    if (!client_done || !server_done)
        g_error("the handshake of the floor fails");
}

static void pair_close(Pair *pair)
{
    SSL_free(pair->server);
    SSL_free(pair->client);
    close(pair->fd[0]);
    close(pair->fd[1]);
}

static void read_all(SSL *ssl, uint8_t *out, size_t size)
{
    size_t got;
    for (size_t done = 0; done < size; done += got)
        if (SSL_read_ex(ssl, out, size - done, &got) != 1)
            g_error("a record of the floor is not read");
}

static void write_all(SSL *ssl, const uint8_t *bytes, size_t size)
{
    size_t sent;
    if (SSL_write_ex(ssl, bytes, size, &sent) != 1 || sent != size)
        g_error("a record of the floor is not written");
}

double floor_tls_exchange_us(guint64 request_bytes, guint64 answer_bytes)
{
    size_t request = CLAMP(request_bytes, 1, BYTES_MAX), answer = CLAMP(answer_bytes, 1, BYTES_MAX);
    g_autofree uint8_t *buffer = g_malloc0(BYTES_MAX);
    SSL_CTX *server = server_context(), *client = SSL_CTX_new(TLS_client_method());
    Pair pair;
    pair_open(&pair, server, client);
    pair.server_seconds = 0;
    for (int i = 0; i < EXCHANGES; i++) {
        write_all(pair.client, buffer, request);
        double before = thread_cpu_seconds();
        read_all(pair.server, buffer, request);
        write_all(pair.server, buffer, answer);
        pair.server_seconds += thread_cpu_seconds() - before;
        read_all(pair.client, buffer, answer);
    }
    pair_close(&pair);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return pair.server_seconds * 1e6 / EXCHANGES;
}

double floor_tls_handshake_us(void)
{
    SSL_CTX *server = server_context(), *client = SSL_CTX_new(TLS_client_method());
    double seconds = 0;
    for (int i = 0; i < HANDSHAKES; i++) {
        Pair pair;
        pair_open(&pair, server, client);
        seconds += pair.server_seconds;
        pair_close(&pair);
    }
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return seconds * 1e6 / HANDSHAKES;
}
