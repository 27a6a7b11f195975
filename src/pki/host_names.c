/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/host_names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAME_SIZE 256

static bool is_address(const char *text)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool is_any_address(const char *text)
{
    uint8_t bytes[16] = {0};
    static const uint8_t zero[16] = {0};
    return (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1) &&
           memcmp(bytes, zero, sizeof zero) == 0;
}

/* What the resolver calls this host; NULL without an answer. */
static char *full_name(const char *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_CANONNAME}, *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return NULL;
    char *name = g_strdup(found->ai_canonname);
    freeaddrinfo(found);
    return name;
}

static void add(GHashTable *dns, GHashTable *ip, const char *text)
{
    if (*text == '\0' || is_any_address(text))
        return;
    g_hash_table_add(is_address(text) ? ip : dns, g_strdup(text));
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char **sorted(GHashTable *set)
{
    guint count = 0;
    g_autofree char **borrowed = (char **)g_hash_table_get_keys_as_array(set, &count);
    qsort(borrowed, count, sizeof *borrowed, by_text);
    return g_strdupv(borrowed);
}

void host_names(const char *bind_address, const char *extra, char ***dns, char ***ip)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) addresses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    char host[HOST_NAME_SIZE] = "";
    add(names, addresses, "localhost");
    add(names, addresses, "127.0.0.1");
    add(names, addresses, "::1");
    add(names, addresses, bind_address);
    if (gethostname(host, sizeof host - 1) == 0 && *host) {
        g_autofree char *full = full_name(host);
        add(names, addresses, host);
        add(names, addresses, full ? full : "");
    }
    g_auto(GStrv) further = g_strsplit(extra, ",", -1);
    for (guint i = 0; further[i]; i++)
        add(names, addresses, g_strstrip(further[i]));
    *dns = sorted(names);
    *ip = sorted(addresses);
}
