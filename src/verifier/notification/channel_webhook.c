/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.revocation_notifier"
#include "base/log.h"
#include "http/client.h"
#include "pki/tls.h"
#include "verifier/notification/channel.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* What a receiver has to say is not read further. */
#define MAX_ANSWER 65536

typedef struct {
    Channel channel;
    HttpClient *client;
    int wake; /* an eventfd: readable = interrupted */
} Webhook;

static ChannelResult post(Channel *channel, Bytes body, GError **error)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    Webhook *webhook = (Webhook *)channel;
    GError *failure = NULL;
    g_autoptr(HttpAnswer) answer =
        http_client_send(webhook->client, "POST", channel->name, headers, body, &failure);
    if (!answer) {
        bool interrupted = g_error_matches(failure, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CANCELLED);
        g_propagate_error(error, failure);
        return interrupted ? CHANNEL_INTERRUPTED : CHANNEL_UNREACHABLE;
    }
    if (answer->status / 100 == 2)
        return CHANNEL_DELIVERED;
    g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_BROKEN, "%s answered %u",
                channel->label, answer->status);
    return CHANNEL_REFUSED;
}

static void interrupt(Channel *channel)
{
    Webhook *webhook = (Webhook *)channel;
    if (eventfd_write(webhook->wake, 1) != 0)
        log_error("Cannot interrupt a delivery to %s", channel->label);
}

static void webhook_free(Channel *channel)
{
    Webhook *webhook = (Webhook *)channel;
    http_client_free(webhook->client);
    if (webhook->wake >= 0)
        close(webhook->wake);
    g_free(channel->name);
    g_free(channel->label);
    g_free(webhook);
}

/* webhook_trusted_ca instead of trusted_server_ca, which is `default` with tls_dir = generate. */
static void use_own_trust(const Config *config, TlsFiles *files)
{
    const char *const *own = config_list(config, "revocations", "webhook_trusted_ca");
    if (!own[0])
        return;
    g_strfreev(files->trusted_ca);
    files->trusted_ca = g_strdupv((char **)own);
    files->trust_all = false;
}

static HttpClient *client_new(const Config *config, const NotificationSettings *settings, int wake,
                              GError **error)
{
    g_autoptr(TlsFiles) files = tls_client_files(config, "verifier", error);
    if (!files)
        return NULL;
    use_own_trust(config, files);
    if (files->trust_all)
        log_warning("Option trusted_server_ca = all: notifications go to whoever answers in place"
                    " of a webhook's server");
    const HttpClientSettings http = {
        .ca_file = files->trust_all ? NULL : files->trusted_ca[0],
        .more_ca_files = files->trust_all || !files->trusted_ca[0]
                             ? NULL
                             : (const char *const *)files->trusted_ca + 1,
        .client_certificate = files->certificate,
        .client_key = files->key,
        .client_key_password = files->key_password,
        .verify_peer = !files->trust_all,
        .verify_host = !files->trust_all,
        .timeout_ms = (unsigned)(settings->request_timeout / 1000),
        .total_timeout_ms = (unsigned)(settings->request_timeout / 1000),
        .max_answer = MAX_ANSWER,
        .cut_answer = true,
        .wake_fd = wake,
    };
    return http_client_new(&http, error);
}

Channel *channel_webhook_new(const Config *config, const NotificationSettings *settings,
                             const char *url, GError **error)
{
    Webhook *webhook = g_new0(Webhook, 1);
    g_autoptr(Channel) channel = &webhook->channel;
    g_autofree char *host = http_url_host(url);
    *channel = (Channel){
        .name = g_strdup(url),
        .label = g_strdup_printf("webhook %s", host),
        .send = post,
        .interrupt = interrupt,
        .free = webhook_free,
    };
    webhook->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (webhook->wake < 0) {
        g_set_error_literal(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_BROKEN,
                            "no eventfd can be made");
        return NULL;
    }
    webhook->client = client_new(config, settings, webhook->wake, error);
    return webhook->client ? g_steal_pointer(&channel) : NULL;
}
