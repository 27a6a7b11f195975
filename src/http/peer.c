/* SPDX-License-Identifier: Apache-2.0 */
#include "http/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Bytes of an IPv6 address that name the network. */
#define NETWORK_SIZE 8

void peer_address_text(const struct sockaddr *address, socklen_t size, char out[PEER_TEXT_MAX])
{
    const char *done = NULL;
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        done = inet_ntop(AF_INET, &v4->sin_addr, out, PEER_TEXT_MAX);
    } else if (address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(v6))
            done = inet_ntop(AF_INET, &v6->s6_addr[12], out, PEER_TEXT_MAX);
        else
            done = inet_ntop(AF_INET6, v6, out, PEER_TEXT_MAX);
    }
    if (!done)
        g_strlcpy(out, "unknown", PEER_TEXT_MAX);
}

/* One text for every spelling of an address; false when it is none. */
static bool normalise(const char *text, char out[PEER_TEXT_MAX])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        peer_address_text((const struct sockaddr *)&v4, sizeof v4, out);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        peer_address_text((const struct sockaddr *)&v6, sizeof v6, out);
    else
        return false;
    return true;
}

bool peer_is_address(const char *text)
{
    char normal[PEER_TEXT_MAX];
    return normalise(text, normal);
}

bool peer_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return g_ascii_strcasecmp(host, "localhost") == 0;
}

void peer_network_text(const char *peer, char out[PEER_TEXT_MAX])
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    uint8_t *bytes = v6.sin6_addr.s6_addr;
    if (inet_pton(AF_INET6, peer, bytes) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        memset(bytes + NETWORK_SIZE, 0, sizeof v6.sin6_addr.s6_addr - NETWORK_SIZE);
        peer_address_text((const struct sockaddr *)&v6, sizeof v6, out);
    } else {
        g_strlcpy(out, peer, PEER_TEXT_MAX);
    }
}

static bool is_trusted(const char *address, const char *const *trusted_proxies)
{
    char normal[PEER_TEXT_MAX];
    for (; trusted_proxies && *trusted_proxies; trusted_proxies++) {
        if (normalise(*trusted_proxies, normal) && strcmp(normal, address) == 0)
            return true;
    }
    return false;
}

char *peer_client_address(const char *peer, const char *forwarded_for,
                          const char *const *trusted_proxies)
{
    char client[PEER_TEXT_MAX];
    g_strlcpy(client, peer, sizeof client);
    if (!forwarded_for || !is_trusted(peer, trusted_proxies))
        return g_strdup(client);
    g_auto(GStrv) entries = g_strsplit(forwarded_for, ",", -1);
    for (guint i = g_strv_length(entries); i > 0; i--) {
        char entry[PEER_TEXT_MAX];
        if (!normalise(g_strstrip(entries[i - 1]), entry))
            break;
        g_strlcpy(client, entry, sizeof client);
        if (!is_trusted(client, trusted_proxies))
            break;
    }
    return g_strdup(client);
}
