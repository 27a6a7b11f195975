/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 request: request line and headers (RFC 9112).
 *
 * Strict where leniency lets two readers of one connection disagree about where a request ends:
 * lines end in CRLF, no blank before a colon, no folded lines, one length, never a length beside a
 * transfer coding. Why the floor has its own and does not use evhttp: see server.h.
 */
#pragma once

#include "http/message.h"

#define REQUEST_HEAD_MAX (64 * 1024) /* verifier-push-api §2.1, decision D71; beyond it 431 */
#define REQUEST_HEADERS_MAX 100

typedef struct {
    bool known;    /* false: a verb the server does not know, 501 */
    bool routable; /* false: HEAD and others, which no route has */
    bool is_head;  /* the answer goes without its body */
    bool close;    /* "Connection: close", or HTTP/1.0 */
    bool expect;   /* 100-continue is waited for */
    bool chunked;
    guint64 body_size; /* of Content-Length; 0 without */
} RequestHead;

typedef enum { HEAD_INCOMPLETE, HEAD_COMPLETE, HEAD_BAD } HeadOutcome;

typedef struct {
    unsigned status;
    const char *detail; /* static */
} HeadError;

/*
 * Read the head at the start of `input`. `*scanned`: how much an earlier call has already looked
 * through (0 at first), so that a head that comes byte by byte is not read again and again.
 * HEAD_COMPLETE fills `head`, `*size` (bytes of the head with its blank line) and the request's
 * method, verb, path, query and headers. HEAD_BAD fills `error`; method and path of the request may
 * be unset.
 */
HeadOutcome request_head_parse(Bytes input, size_t *scanned, RequestHead *head, size_t *size,
                               HttpRequest *request, HeadError *error);
