/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/remote_file.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "http/client.h"

GBytes *local_file(const char *option, const char *path, GError **error)
{
    char *content;
    gsize size;
    if (!g_file_get_contents(path, &content, &size, error)) {
        g_prefix_error(error, "%s: ", option);
        return NULL;
    }
    return g_bytes_new_take(content, size);
}

static HttpAnswer *get(const Tenant *tenant, const char *url, size_t most, GError **error)
{
    HttpClientSettings settings = {
        .ca_file = http_client_system_ca_file(),
        .verify_peer = g_ascii_strncasecmp(url, "http:", 5) != 0,
        .verify_host = true,
        .timeout_ms = (unsigned)(config_real(tenant->config, NULL, "request_timeout") * 1000),
        .max_answer = most,
        .wake_fd = -1,
    };
    g_autoptr(HttpClient) client = http_client_new(&settings, error);
    return client ? http_client_send(client, "GET", url, NULL, BYTES_EMPTY, error) : NULL;
}

GBytes *remote_file(const Tenant *tenant, const char *option, const char *url, size_t most,
                    GError **error)
{
    log_info("%s: downloading %s", option, url);
    g_autoptr(HttpAnswer) answer = get(tenant, url, most, error);
    if (!answer) {
        g_prefix_error(error, "%s: ", option);
        return NULL;
    }
    if (answer->status != 200) {
        tenant_fail(error, "%s: %s answered %u", option, url, answer->status);
        return NULL;
    }
    return g_bytes_ref(answer->body);
}
