/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a request and a response, for the rooms of this floor only. Handlers see message.h.
 */
#pragma once

#include "http/message.h"

typedef struct {
    char *name, *value; /* a header's are views into `head` */
} HttpField;

/* No route of the API has more parameters. */
#define HTTP_PARAMETERS_MAX 4

struct HttpRequest {
    HttpMethod method;
    char verb[16];    /* as received, for the log; cut */
    char *path;       /* without query */
    char *query_text; /* after '?', undecoded; NULL = none */
    char version[8];  /* "/v3.0" or "" */
    unsigned major;
    char *head;                                /* owns the texts of `headers` */
    GArray *headers;                           /* of HttpField */
    HttpField parameters[HTTP_PARAMETERS_MAX]; /* both owned */
    unsigned parameter_count;
    GArray *query; /* of HttpField, decoded on first use; both owned */
    uint8_t *body; /* g_malloc'd */
    size_t body_size;
    Json *json;
    Identity identity;
    char *token;
    char *peer;
};

struct HttpResponse {
    unsigned status;
    GArray *headers; /* of HttpField; both owned */
    char *body;      /* NULL = empty */
};

/* A request without any field set. */
HttpRequest *http_request_empty(void);
/* Hands the body over to who parses it: nobody else reads it, and one of megabytes need not lie
 * beside its parsed form. */
uint8_t *http_request_steal_body(HttpRequest *request, size_t *size);
/* "/v3.0/agents" -> version "/v3.0", major 3. False when the first segment is none of the served
 * API versions (registrar-api §3.2): then version is "" and major 0. */
bool http_version_prefix(const char *path, char version[8], unsigned *major);
/* Standard reason phrase, "Error" for a code without one. */
const char *http_reason(unsigned status);
/* Every connection's bytes for one answer: status line, headers, body. */
GByteArray *http_response_serialise(const HttpResponse *response, bool with_body, bool close);
