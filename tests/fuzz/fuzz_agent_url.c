/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of the configuration and Location headers: what is accepted stays at its origin. */
#include "agent/url.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size ? (const char *)data : "", size);
    Url base;
    url_parse("https://verifier.example:8881", &base);
    g_autofree char *resolved = url_resolve_location(&base, text);
    if (resolved)
        g_assert(g_str_has_prefix(resolved, "https://verifier.example:8881"));
    if (resolved) {
        char next = resolved[strlen("https://verifier.example:8881")];
        g_assert(next == '\0' || next == '/');
    }
    url_clear(&base);
    (void)url_host_is_valid(text);
    (void)url_registrar_problem(text);
    if (!url_verifier_problem(text)) {
        url_parse(text, &base);
        g_assert(base.tls && base.port >= 1 && base.port <= 65535);
        url_clear(&base);
    }
    return 0;
}
