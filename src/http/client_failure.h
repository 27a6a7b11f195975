/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a failed transfer to a cause and a sentence that a person can act on (contract C107-C111).
 */
#pragma once

#include "http/client.h"
#include "http/client_trust.h"

#include <curl/curl.h>

typedef struct {
    CURLcode code;
    long os_error;            /* errno of a failed connect, 0 = unknown */
    const char *text;         /* libcurl's own, may be empty */
    const char *host;         /* "verifier.example:8881" */
    const char *name;         /* "verifier.example" */
    const char *addresses;    /* tried: "127.0.0.1:8881, ...", may be empty */
    const ClientTrust *trust; /* NULL = nothing is verified */
    const OfferedCertificate *offered;
    const char *client_certificate; /* path, NULL = none */
    unsigned timeout_ms, total_timeout_ms;
    bool connected; /* the connection (and TLS) stood */
} ClientFailure;

GError *client_failure_error(const ClientFailure *failure);
