/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every request passes before its handler, in the order of verifier-push-api §2.3: verb, path,
 * route, plain HTTP, token, access, body. The first half needs the head only and runs on the I/O
 * thread, so that a refused request need not send its body; the second runs on a worker.
 */
#pragma once

#include "http/request_head.h"
#include "http/router.h"
#include "http/server.h"

typedef struct {
    const HttpServerSettings *settings;
    Router *router;
    gint heavy; /* requests of heavy routes at the moment; atomic */
} Gate;

/* True: the request goes on to gate_serve() with *route. False: `response` holds the refusal. The
 * request's identity is the one of its TLS connection. */
bool gate_admit(const Gate *gate, const RequestHead *head, bool encrypted, HttpRequest *request,
                HttpResponse *response, const Route **route);

/* Token, access, body, handler; `response` is filled in any case. May block. */
void gate_serve(Gate *gate, const Route *route, HttpRequest *request, HttpResponse *response);

/* An error of the layer itself, in the form of the API version that was asked (with `route` NULL
 * when there is none): v2 envelope, JSON:API errors, or the plain errors of sessions and gate. */
void gate_error(const Gate *gate, HttpResponse *response, const HttpRequest *request,
                const Route *route, unsigned status, const char *detail);
