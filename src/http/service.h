/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a server program, the same for all: configuration, certificates, listeners, signals,
 * end (configuration-and-operations §7.2, §10, §12; decisions D30, D111 to D114). The options that
 * this reads are those of http/service_options.h.
 */
#pragma once

#include "config/config.h"
#include "http/server.h"

typedef struct {
    const ConfigSchema *schema;
    const char *greeting;              /* the first line of its log */
    const char *status;                /* what the service manager shows once it serves */
    const char *plain_port, *tls_port; /* options; NULL = no such listener. Value 0 opens none */
    const Route *routes;
    bool v3_as_v2;              /* see http/server.h */
    HttpTokenCheck token_check; /* NULL: see http/server.h */
    gpointer context;           /* of the handlers, the token check and the functions below */

    /* Makes what stands behind the handlers. `config` lives until after close(). */
    bool (*open)(gpointer context, const Config *config, GError **error);
    /* Are routes of ACCESS_OPEN for anyone? NULL: for administrators. */
    bool (*is_open)(gpointer context);
    /* For how long a kept-alive connection may be silent; NULL: the server's default. */
    unsigned (*idle_seconds)(gpointer context);
    /* Undoes open(), also one that failed half-way. No handler runs any more. */
    void (*close)(gpointer context);
} Service;

/* The whole of main(): returns the exit status. */
int service_main(const Service *service, int argc, char **argv);
