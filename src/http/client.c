/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include "base/secret.h"
#include "http/client_answer.h"
#include "http/client_failure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A server may close an idle connection after a minute or an hour; libcurl looks before it reuses
 * one, so this only has to be longer than the usual attestation intervals. */
#define IDLE_CONNECTION_SECONDS 3600L
#define MAX_ANSWER_DEFAULT ((size_t)16 * 1024 * 1024)

G_DEFINE_QUARK(http - client - error - quark, http_client_error)

struct HttpClient {
    char *client_certificate, *client_key, *client_key_password;
    bool verify_peer, verify_host;
    unsigned timeout_ms, total_timeout_ms;
    size_t max_answer, max_values;
    bool cut_answer;
    int wake_fd;
    void (*turned)(gpointer context);
    gpointer turned_context;
    ClientTrust *trust; /* NULL without verify_peer */
    OfferedCertificate offered;
    CURLM *multi;
    CURL *easy;
    char text[CURL_ERROR_SIZE];
    GString *addresses; /* tried for the present request */
    gint64 last_sign;   /* monotonic µs: something was sent or received */
    curl_off_t bytes_seen;
    bool standing; /* the connection of the present request stands */
};

static void start_curl(void)
{
    static gsize started;
    if (g_once_init_enter(&started)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        g_once_init_leave(&started, 1);
    }
}

HttpClient *http_client_new(const HttpClientSettings *settings, GError **error)
{
    if (settings->verify_peer && !settings->ca_file) {
        g_set_error_literal(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CA_FILE,
                            "no CA file is configured, so no server can be trusted");
        return NULL;
    }
    start_curl();
    g_autoptr(HttpClient) client = g_new0(HttpClient, 1);
    client->client_certificate = g_strdup(settings->client_certificate);
    client->client_key = g_strdup(settings->client_key);
    client->client_key_password = g_strdup(settings->client_key_password);
    client->verify_peer = settings->verify_peer;
    client->verify_host = settings->verify_peer && settings->verify_host;
    client->timeout_ms = settings->timeout_ms;
    client->total_timeout_ms = settings->total_timeout_ms;
    client->max_answer = settings->max_answer ? settings->max_answer : MAX_ANSWER_DEFAULT;
    client->cut_answer = settings->cut_answer;
    client->max_values = settings->max_values ? settings->max_values : G_MAXSIZE;
    client->wake_fd = settings->wake_fd;
    client->turned = settings->turned;
    client->turned_context = settings->turned_context;
    client->addresses = g_string_new(NULL);
    client->multi = curl_multi_init();
    client->easy = curl_easy_init();
    if (!client->multi || !client->easy) {
        g_set_error_literal(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_BROKEN,
                            "libcurl cannot be set up");
        return NULL;
    }
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 1L);
    if (client->verify_peer) {
        g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(files, g_strdup(settings->ca_file));
        for (const char *const *file = settings->more_ca_files; file && *file; file++)
            g_ptr_array_add(files, g_strdup(*file));
        g_ptr_array_add(files, NULL);
        client->trust = client_trust_new((const char *const *)files->pdata, error);
        if (!client->trust)
            return NULL;
    }
    return g_steal_pointer(&client);
}

void http_client_free(HttpClient *client)
{
    if (!client)
        return;
    if (client->easy)
        curl_easy_cleanup(client->easy);
    if (client->multi)
        curl_multi_cleanup(client->multi);
    client_trust_free(client->trust);
    offered_certificate_clear(&client->offered);
    g_free(client->client_certificate);
    g_free(client->client_key);
    secret_free_text(client->client_key_password);
    g_string_free(client->addresses, TRUE);
    g_free(client);
}

/* --- callbacks of libcurl -------------------------------------------------------------------- */

/* Notes the address, so that a failed connect can name it. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    HttpClient *client = data;
    char text[INET6_ADDRSTRLEN];
    const char *separator = client->addresses->len ? ", " : "";
    if (address->family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->addr;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        g_string_append_printf(client->addresses, "%s%s:%u", separator, text, ntohs(v4->sin_port));
    } else if (address->family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->addr;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        g_string_append_printf(client->addresses, "%s[%s]:%u", separator, text,
                               ntohs(v6->sin6_port));
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    HttpClient *client = data;
    if (down + up != client->bytes_seen)
        client->last_sign = g_get_monotonic_time();
    client->bytes_seen = down + up;
    return 0;
}

static CURLcode on_tls_context(CURL *easy, void *context, void *data)
{
    HttpClient *client = data;
    offered_certificate_clear(&client->offered);
    offered_certificate_watch(&client->offered, context);
    return CURLE_OK;
}

/* --- one request ----------------------------------------------------------------------------- */

static void set_tls(HttpClient *client)
{
    CURL *easy = client->easy;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, (long)client->verify_peer);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, client->verify_host ? 2L : 0L);
    /* Never the system's store (contract C89). */
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (client->trust) {
        client_trust_refresh(client->trust);
        Bytes bundle = client_trust_bundle(client->trust);
        struct curl_blob blob = {(void *)bundle.data, bundle.size, CURL_BLOB_COPY};
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (client->client_certificate) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, client->client_certificate);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, client->client_key);
        curl_easy_setopt(easy, CURLOPT_KEYPASSWD, client->client_key_password);
    }
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, client);
}

static void set_transport(HttpClient *client)
{
    CURL *easy = client->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_SECONDS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)client->total_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, client);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, client);
}

/*
 * libcurl reads the variables of proxies itself, but for the upper-case one of plain HTTP, which a
 * gateway's caller could set; these programs are no gateway (push-agent §3.2). NO_PROXY holds all
 * the same.
 */
static void set_proxy(CURL *easy, const char *url)
{
    const char *proxy = g_getenv("HTTP_PROXY");
    if (proxy && *proxy && !g_getenv("http_proxy") && g_str_has_prefix(url, "http:"))
        curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
}

/* libcurl would name a content type of its own for a body without one. */
static struct curl_slist *header_list(const char *const *headers)
{
    struct curl_slist *list = NULL;
    bool has_type = false;
    for (; headers && *headers; headers++) {
        has_type = has_type || g_ascii_strncasecmp(*headers, "Content-Type:", 13) == 0;
        list = curl_slist_append(list, *headers);
    }
    return has_type ? list : curl_slist_append(list, "Content-Type:");
}

/* One of them may be a bearer token. */
static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *line = list; line; line = line->next)
        secret_wipe(line->data, strlen(line->data));
    curl_slist_free_all(list);
}

static void set_request(HttpClient *client, const char *method, const char *url,
                        struct curl_slist *headers, Bytes body)
{
    CURL *easy = client->easy;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    bool bare = body.size == 0 && (strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0);
    if (bare) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.size ? (const char *)body.data : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* True when it is over, with its code. */
static bool is_done(HttpClient *client, CURLcode *code)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return true;
        }
    }
    return false;
}

/* Silence after the connection stands; before that libcurl's own limit for connecting holds. */
static bool is_silent(HttpClient *client)
{
    if (!client->standing) {
        curl_off_t connected = 0;
        curl_easy_getinfo(client->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
        client->standing = connected > 0;
        if (client->standing)
            client->last_sign = g_get_monotonic_time();
        return false;
    }
    return g_get_monotonic_time() - client->last_sign > (gint64)client->timeout_ms * 1000;
}

typedef enum { TRANSFER_DONE, TRANSFER_CANCELLED } TransferEnd;

static TransferEnd transfer(HttpClient *client, CURLcode *code)
{
    int poll_ms = (int)CLAMP(client->timeout_ms / 4, 10, 1000);
    for (;;) {
        int running;
        struct curl_waitfd wake = {.fd = client->wake_fd, .events = CURL_WAIT_POLLIN};
        unsigned wake_count = client->wake_fd >= 0 ? 1 : 0;
        if (curl_multi_perform(client->multi, &running) != CURLM_OK) {
            *code = CURLE_OUT_OF_MEMORY;
            return TRANSFER_DONE;
        }
        if (is_done(client, code))
            return TRANSFER_DONE;
        if (client->turned)
            client->turned(client->turned_context);
        if (is_silent(client)) {
            *code = CURLE_OPERATION_TIMEDOUT;
            return TRANSFER_DONE;
        }
        if (curl_multi_poll(client->multi, &wake, wake_count, poll_ms, NULL) != CURLM_OK) {
            *code = CURLE_OUT_OF_MEMORY;
            return TRANSFER_DONE;
        }
        if (wake_count && wake.revents)
            return TRANSFER_CANCELLED;
    }
}

/* A peer that went away must not kill the program; libcurl leaves that to its user. */
static TransferEnd transfer_without_sigpipe(HttpClient *client, CURLcode *code)
{
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    TransferEnd end = transfer(client, code);
    if (!sigismember(&pending, SIGPIPE)) {
        struct timespec now = {0};
        while (sigtimedwait(&pipe, NULL, &now) == SIGPIPE)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return end;
}

static bool split_url(const char *url, char **host, char **name, GError **error)
{
    CURLU *parsed = curl_url();
    char *part_host = NULL, *port = NULL, *scheme = NULL;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    bool fine = code == CURLUE_OK && !curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) &&
                (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0) &&
                !curl_url_get(parsed, CURLUPART_HOST, &part_host, 0) &&
                !curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (fine) {
        *host = g_strdup_printf("%s:%s", part_host, port);
        *name = g_strdup(part_host);
    } else {
        g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_URL, "'%s' is no http(s) URL: %s",
                    url, code ? curl_url_strerror(code) : "scheme or host are missing");
    }
    curl_free(part_host);
    curl_free(port);
    curl_free(scheme);
    curl_url_cleanup(parsed);
    return fine;
}

char *http_url_host(const char *url)
{
    g_autofree char *name = NULL;
    char *host = NULL;
    return split_url(url, &host, &name, NULL) ? host : NULL;
}

static GError *failure_of(HttpClient *client, CURLcode code, const char *host, const char *name)
{
    ClientFailure failure = {
        .code = code,
        .text = client->text,
        .host = host,
        .name = name,
        .addresses = client->addresses->str,
        .trust = client->trust,
        .offered = &client->offered,
        .client_certificate = client->client_certificate,
        .timeout_ms = client->timeout_ms,
        .total_timeout_ms = client->total_timeout_ms,
        .connected = client->standing,
    };
    curl_easy_getinfo(client->easy, CURLINFO_OS_ERRNO, &failure.os_error);
    return client_failure_error(&failure);
}

static void prepare(HttpClient *client)
{
    curl_easy_reset(client->easy);
    client->text[0] = '\0';
    g_string_truncate(client->addresses, 0);
    client->bytes_seen = 0;
    client->standing = false;
    client->last_sign = g_get_monotonic_time();
}

const char *http_client_system_ca_file(void)
{
    const char *chosen = g_getenv("CURL_CA_BUNDLE");
    return chosen && *chosen ? chosen : curl_version_info(CURLVERSION_NOW)->cainfo;
}

gint64 http_client_certificate_expires(const HttpClient *client)
{
    return client->offered.expires;
}

int http_client_certificate_fault(const HttpClient *client)
{
    return client->offered.verify_error;
}

HttpAnswer *http_client_send(HttpClient *client, const char *method, const char *url,
                             const char *const *headers, Bytes body, GError **error)
{
    g_autofree char *host = NULL, *name = NULL;
    if (!split_url(url, &host, &name, error))
        return NULL;
    prepare(client);
    set_transport(client);
    set_tls(client);
    struct curl_slist *list = header_list(headers);
    set_request(client, method, url, list, body);
    set_proxy(client->easy, url);
    size_t limit = client->max_answer + 2 * body.size;
    AnswerReader *reader = answer_reader_new(client->easy, limit);

    CURLcode code = CURLE_OK;
    curl_multi_add_handle(client->multi, client->easy);
    TransferEnd end = transfer_without_sigpipe(client, &code);
    bool too_large = answer_reader_too_large(reader);
    HttpAnswer *answer = NULL;
    if (end == TRANSFER_CANCELLED)
        g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CANCELLED, "%s: cancelled", host);
    else if (too_large && !client->cut_answer)
        g_set_error(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_TOO_LARGE,
                    "%s: the answer is larger than %zu bytes", host, limit);
    else if (code != CURLE_OK && !too_large)
        g_propagate_error(error, failure_of(client, code, host, name));
    else
        answer = answer_reader_finish(reader, client->easy);
    if (answer)
        answer->max_values = client->max_values;
    curl_multi_remove_handle(client->multi, client->easy);
    answer_reader_free(reader);
    free_headers(list);
    return answer;
}
