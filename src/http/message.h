/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange as a handler sees it: a request to read and a response to fill. Handlers know
 * no socket and no event loop; they run on a worker and may block.
 */
#pragma once

#include "base/json.h"

typedef enum {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
} HttpMethod;

typedef enum { IDENTITY_ANONYMOUS, IDENTITY_AGENT, IDENTITY_ADMIN } IdentityKind;

typedef struct {
    IdentityKind kind;
    char *name;            /* agent id or certificate CN; NULL when anonymous */
    const char *not_admin; /* why a presented certificate is no admin, or NULL; static */
} Identity;

typedef struct HttpRequest HttpRequest;
typedef struct HttpResponse HttpResponse;

/* --- request: everything borrowed, valid during the handler ---------------------------------- */

HttpMethod http_request_method(const HttpRequest *request);
/* Path as received, without query, e.g. "/v3.0/agents/a/attestations". */
const char *http_request_path(const HttpRequest *request);
/* "/v3.0" (as the client spelled it), "" for unversioned routes. */
const char *http_request_version_prefix(const HttpRequest *request);
/* 2, 3, or 0 for unversioned routes. */
unsigned http_request_major(const HttpRequest *request);
/* Value of `:name` in the route's pattern, not percent-decoded; never NULL for a name of the
 * pattern. */
const char *http_request_parameter(const HttpRequest *request, const char *name);
/* Query member, decoded; NULL if absent. Never merged with anything else (decision D105). */
const char *http_request_query(const HttpRequest *request, const char *name);
/* Header by name, any case; NULL if absent. Of several lines the first. */
const char *http_request_header(const HttpRequest *request, const char *name);
/* A header that is a list: all its lines in order, joined by commas. Newly allocated, or NULL. */
char *http_request_header_list(const HttpRequest *request, const char *name);
/* Empty for a handler whose route takes JSON: that is parsed already. */
Bytes http_request_body(const HttpRequest *request);
/* The body as a JSON object; NULL when the route takes no body. Routes that need one never get
 * NULL. */
Json *http_request_json(const HttpRequest *request);
const Identity *http_request_identity(const HttpRequest *request);
/* Bearer token of an agent request, for the session it belongs to; NULL otherwise. */
const char *http_request_token(const HttpRequest *request);
/* Peer address text; the client's behind a trusted proxy (decision D32). */
const char *http_request_peer(const HttpRequest *request);

/* --- response -------------------------------------------------------------------------------- */

void http_response_status(HttpResponse *response, unsigned status);
/* Copies. A header of the same name is replaced. */
void http_response_header(HttpResponse *response, const char *name, const char *value);
/* Takes over a text; NULL = empty body. */
void http_response_body(HttpResponse *response, const char *content_type, char *text);
unsigned http_response_status_get(const HttpResponse *response);

/* For tests of handlers without a server. */
HttpRequest *http_request_new(HttpMethod method, const char *path, Bytes body);
void http_request_set_identity(HttpRequest *request, IdentityKind kind, const char *name);
void http_request_set_parameter(HttpRequest *request, const char *name, const char *value);
void http_request_free(HttpRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpRequest, http_request_free)
HttpResponse *http_response_new(void);
const char *http_response_body_get(const HttpResponse *response);
const char *http_response_header_get(const HttpResponse *response, const char *name);
void http_response_free(HttpResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpResponse, http_response_free)
