/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs of verifier and registrar: checked once, then every request's URL is built from the parsed
 * base (contract C36, C51; decision D87). Pure.
 */
#pragma once

#include <stdbool.h>

/* `host` without brackets; `origin` is "https://host:port", brackets for IPv6, no trailing slash.
 */
typedef struct {
    bool tls;
    char *host;
    unsigned port;
    char *origin;
} Url;

void url_clear(Url *url);

/* NULL, or a static sentence of what is allowed. */
const char *url_verifier_problem(const char *text);
const char *url_registrar_problem(const char *text);
/* IPv4, IPv6, [IPv6] or an RFC 1123 host name. */
bool url_host_is_valid(const char *text);

/* Of a text without problem (asserted). Absent port: 443, for http 80. */
void url_parse(const char *text, Url *out);
void url_from_parts(bool tls, const char *host, unsigned port, Url *out);

/* origin + printf-formatted path, which begins with '/'. Newly allocated. */
char *url_join(const Url *base, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The URL of a Location header: an absolute path, or an absolute URL of the same origin. NULL for
 * anything else: bearer token and evidence follow no reference to another place (decision D87).
 */
char *url_resolve_location(const Url *base, const char *location);
