/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end: addresses as text, and clients behind trusted proxies (decision D32).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

#define PEER_TEXT_MAX 64

/* Numeric address without port; an IPv4 address in IPv6 form as IPv4. "unknown" for anything else.
 */
void peer_address_text(const struct sockaddr *address, socklen_t size, char out[PEER_TEXT_MAX]);

/* IPv4 or IPv6, nothing else. */
bool peer_is_address(const char *text);
/* An address that only this machine reaches, or its name. */
bool peer_is_loopback(const char *host);

/* What a limit by address counts by: of IPv6 the /64, as one host can use all of its addresses. */
void peer_network_text(const char *peer, char out[PEER_TEXT_MAX]);

/*
 * The client's address: `peer` itself unless it is one of the trusted proxies; then the last entry
 * of X-Forwarded-For (NULL = none) that is no trusted proxy. Entries before an unreadable one do
 * not count: whoever wrote them is not trusted. Newly allocated.
 */
char *peer_client_address(const char *peer, const char *forwarded_for,
                          const char *const *trusted_proxies);
