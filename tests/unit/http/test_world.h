/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server on a free port with certificates of its own, and raw connections to it: what the tests
 * of server and client share.
 */
#pragma once

#include "http/client.h"
#include "http/server.h"
#include "test_certificates.h"

typedef struct {
    char *directory;
    TestIdentity *authority, *other_authority, *server_identity;
    TestIdentity *admin;
    char *ca_file, *other_ca_file, *admin_certificate, *admin_key;
    SSL_CTX *tls;
    HttpServer *server;
    unsigned port, plain_port;
    GMutex lock;
    GCond changed;
    unsigned held; /* requests waiting in the `hold` handler */
    bool released;
    gint served; /* requests that the `echo` handler has seen; atomic */
} World;

/* Limits that suit tests: 1 I/O thread, `workers`, a queue of 2, 100,000 bytes, 1 s idle. */
World *world_new(unsigned workers, unsigned idle_seconds);
void world_free(World *world);
/* Wait until `count` requests are in the `hold` handler. */
void world_wait_held(World *world, unsigned count);
void world_release(World *world);

HttpClient *world_client(World *world, bool as_admin);
char *world_url(World *world, const char *path);

/* A raw connection: plain (ssl NULL) or TLS. */
typedef struct {
    int fd;
    SSL *ssl;
    SSL_CTX *context;
} Raw;
Raw raw_connect(unsigned port, bool encrypted);
void raw_send(Raw *raw, const void *data, size_t size);
void raw_text(Raw *raw, const char *text);
/* Read until the peer closes or `seconds` pass without a byte; newly allocated. `*closed`: a clean
 * end. */
char *raw_read(Raw *raw, unsigned seconds, bool *closed);
void raw_close(Raw *raw);
