/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/server.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "base/timestamp.h"
#include "tenant/slow_answer.h"

#include <string.h>

/* The records of 100,000 agents are some 100 MB. */
#define MAX_ANSWER ((size_t)512 * 1024 * 1024)

struct Server {
    char *kind, *host, *port, *words, *base_url;
    HttpClient *client;
    const char *version; /* NULL until negotiated; static */
};

/* Newest first; 3.x is never chosen for management (tenant-and-management-api §1). */
static const char *const known_versions[] = {"2.6", "2.5", "2.4", "2.3", "2.2", "2.1", "2.0", NULL};

Server *server_new(const ServerSettings *settings, GError **error)
{
    HttpClientSettings http = {
        .ca_file = settings->tls->trust_all ? NULL : settings->tls->trusted_ca[0],
        .more_ca_files = !settings->tls->trust_all && settings->tls->trusted_ca[0]
                             ? (const char *const *)settings->tls->trusted_ca + 1
                             : NULL,
        .client_certificate = settings->tls->certificate,
        .client_key = settings->tls->key,
        .client_key_password = settings->tls->key_password,
        .verify_peer = !settings->tls->trust_all,
        .verify_host = !settings->tls->trust_all && settings->check_hostnames,
        .timeout_ms = (unsigned)(settings->timeout * 1000),
        .max_answer = MAX_ANSWER,
        .wake_fd = -1,
    };
    g_autoptr(HttpClient) client = http_client_new(&http, error);
    if (!client)
        return NULL;
    bool is_ipv6 = strchr(settings->host, ':') && settings->host[0] != '[';
    Server *server = g_new0(Server, 1);
    server->kind = g_strdup(settings->kind);
    server->host = g_strdup(settings->host);
    server->port = g_strdup(settings->port);
    server->words = g_strdup_printf("%c%s (%s:%s)", g_ascii_toupper(settings->kind[0]),
                                    settings->kind + 1, settings->host, settings->port);
    server->base_url = g_strdup_printf("https://%s%s%s:%s", is_ipv6 ? "[" : "", settings->host,
                                       is_ipv6 ? "]" : "", settings->port);
    server->client = g_steal_pointer(&client);
    return server;
}

void server_free(Server *server)
{
    if (!server)
        return;
    http_client_free(server->client);
    g_free(server->kind);
    g_free(server->host);
    g_free(server->port);
    g_free(server->words);
    g_free(server->base_url);
    g_free(server);
}

const char *server_host(const Server *server)
{
    return server->host;
}

const char *server_port(const Server *server)
{
    return server->port;
}

const char *server_words(const Server *server)
{
    return server->words;
}

int server_certificate_fault(const Server *server)
{
    return http_client_certificate_fault(server->client);
}

static HttpAnswer *send_to(Server *server, const char *method, const char *path, Bytes body,
                           const char *content_type, GError **error)
{
    g_autofree char *url = g_strconcat(server->base_url, path, NULL);
    g_autofree char *type_line = g_strdup_printf("Content-Type: %s", content_type);
    const char *headers[] = {"Accept: application/json, application/vnd.api+json",
                             body.size > 0 ? type_line : NULL, NULL};
    g_autoptr(SlowAnswer) watch = slow_answer_watch(server->words);
    return http_client_send(server->client, method, url, headers, body, error);
}

static void prefix_place(const Server *server, const char *path, GError **error)
{
    g_prefix_error(error, "%s cannot be asked at %s%s: ", server->words, server->base_url, path);
}

static const char *newest_common_version(Json *body)
{
    g_autofree const char **offered =
        json_member_texts(json_member(body, "results"), "supported_versions");
    for (const char *const *known = known_versions; offered && *known; known++)
        if (g_strv_contains(offered, *known))
            return *known;
    return NULL;
}

/* tenant-and-management-api §2.6: 410 is a push verifier; no answer of /version is fatal by itself
 * but a list without any version of ours. */
static bool negotiate_version(Server *server, GError **error)
{
    g_autoptr(GError) local = NULL;
    server->version = known_versions[0];
    g_autoptr(HttpAnswer) answer =
        send_to(server, "GET", "/version", BYTES_EMPTY, "application/json", &local);
    if (!answer) {
        prefix_place(server, "/version", &local);
        log_warning("Error fetching versions from %s: %s", server->kind, local->message);
    } else if (answer->status == 200) {
        g_autoptr(Json) body = http_answer_json(answer);
        if (!json_member_of_type(json_member(body, "results"), "supported_versions",
                                 json_type_array)) {
            log_warning("Unexpected response format from %s /version endpoint", server->kind);
        } else {
            server->version = newest_common_version(body);
            if (!server->version) {
                g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_BROKEN,
                            "No compatible API version with %s. It offers none of 2.0 to 2.6.",
                            server->kind);
                return false;
            }
        }
    } else if (answer->status != 410) {
        log_warning("Failed to get versions from %s: %u", server->kind, answer->status);
    }
    log_info("Using API version %s for %s communication", server->version, server->kind);
    return true;
}

bool server_probe(Server *server, ServerProbe *out, GError **error)
{
    g_autoptr(HttpAnswer) answer =
        send_to(server, "GET", "/version", BYTES_EMPTY, "application/json", error);
    if (!answer)
        return false;
    g_autoptr(Json) body = http_answer_json(answer);
    *out = (ServerProbe){
        .status = answer->status,
        .version = answer->status == 200 ? newest_common_version(body) : NULL,
        .clock_known = answer->date >= 0,
        .clock_ahead = answer->date - timestamp_now() / TIMESTAMP_SECOND,
        .certificate_expires = http_client_certificate_expires(server->client),
    };
    return true;
}

void server_answer_free(ServerAnswer *answer)
{
    if (!answer)
        return;
    json_unref(answer->body);
    g_free(answer->text);
    g_free(answer->raw);
    g_free(answer);
}

/* The v2 envelope's `status`, or the first error's `detail` of the other two envelopes. */
static const char *answer_text(Json *body)
{
    const char *text = json_member_text(body, "status");
    Json *errors = json_member_of_type(body, "errors", json_type_array);
    if (!text && errors && json_object_array_length(errors) > 0)
        text = json_member_text(json_object_array_get_idx(errors, 0), "detail");
    return text ? text : "";
}

ServerAnswer *server_send(Server *server, const char *method, const char *version, const char *path,
                          Json *body, GError **error)
{
    if (!version && !server->version && !negotiate_version(server, error))
        return NULL;
    g_autofree char *versioned =
        g_strdup_printf("/v%s%s", version ? version : server->version, path);
    g_autofree char *text = body ? json_to_python_text(body) : NULL;
    g_autoptr(HttpAnswer) http =
        send_to(server, method, versioned, bytes_of_text(text),
                version ? "application/vnd.api+json" : "application/json", error);
    if (!http) {
        prefix_place(server, versioned, error);
        return NULL;
    }
    ServerAnswer *answer = g_new0(ServerAnswer, 1);
    Bytes raw = bytes_of_gbytes(http->body);
    answer->status = http->status;
    answer->body = http_answer_json(http);
    answer->raw = g_utf8_make_valid(raw.size > 0 ? (const char *)raw.data : "", (gssize)raw.size);
    answer->text = g_strdup(answer_text(answer->body));
    if (!json_member_int(answer->body, "code", false, &answer->code))
        answer->code = http->status;
    return answer;
}

Json *server_results(const ServerAnswer *answer)
{
    return json_member_of_type(answer->body, "results", json_type_object);
}
