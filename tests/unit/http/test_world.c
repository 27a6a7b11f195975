/* SPDX-License-Identifier: Apache-2.0 */
#include "test_world.h"

#include "http/envelope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- handlers -------------------------------------------------------------------------------- */

/* Says back what a handler is told. */
static void echo(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    World *world = context;
    g_atomic_int_inc(&world->served);
    static const char *const kinds[] = {"anonymous", "agent", "admin"};
    const Identity *identity = http_request_identity(request);
    Json *results = json_object_new_object();
    json_add_text(results, "path", http_request_path(request));
    json_add_text(results, "identity", kinds[identity->kind]);
    json_add_text(results, "name", identity->name);
    json_add_text(results, "token", http_request_token(request));
    json_add_text(results, "agent_id", http_request_parameter(request, "agent_id"));
    json_add_text(results, "query", http_request_query(request, "q"));
    json_add_text(results, "peer", http_request_peer(request));
    json_add_int(results, "body", (gint64)http_request_body(request).size);
    json_add_text(results, "member", json_member_text(http_request_json(request), "member"));
    envelope_v2(response, 200, NULL, results);
}

static void hold(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    World *world = context;
    g_mutex_lock(&world->lock);
    world->held++;
    g_cond_broadcast(&world->changed);
    while (!world->released)
        g_cond_wait(&world->changed, &world->lock);
    g_mutex_unlock(&world->lock);
    envelope_v2(response, 200, "Held", NULL);
}

static void large(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    http_response_status(response, 200);
    http_response_body(response, "text/plain", g_strnfill(8 * 1024 * 1024, 'x'));
}

static void redirect(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    http_response_status(response, 307);
    http_response_header(response, "Location", "/v3.0/");
}

static void later(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    envelope_error(response, request, 503, "verification_in_progress", "wait");
    http_response_retry_after(response, 7);
}

static void silent(const HttpRequest *request, HttpResponse *response, gpointer context)
{
}

static const Route routes[] = {
    {HTTP_GET, "/", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "read_info", redirect},
    {HTTP_GET, "/version", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "read_version", echo},
    {HTTP_POST, "/echo", ROUTE_V2 | ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "echo", echo},
    {HTTP_POST, "/json", ROUTE_V2 | ROUTE_V3, ACCESS_PUBLIC, BODY_JSON, "json", echo},
    {HTTP_POST, "/sessions", ROUTE_V3, ACCESS_PUBLIC, BODY_JSON, "create_session", echo,
     .ignore_token = true, .max_body = 1000},
    {HTTP_GET, "/agents", ROUTE_V2 | ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "list_agents", echo},
    {HTTP_GET, "/agents/:agent_id", ROUTE_V2, ACCESS_AGENT_OR_ADMIN, BODY_NONE, "read_agent", echo},
    {HTTP_POST, "/agents/:agent_id/attestations", ROUTE_V3, ACCESS_AGENT, BODY_JSON_API,
     "submit_attestation", echo},
    {HTTP_GET, "/hold", ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "hold", hold},
    {HTTP_GET, "/heavy", ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "heavy", hold, .heavy = true},
    {HTTP_GET, "/large", ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "large", large},
    {HTTP_GET, "/later", ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "later", later},
    {HTTP_GET, "/silent", ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "silent", silent},
    {0},
};

static bool check_token(const char *token, char **agent_id, const char **detail, gpointer context)
{
    if (strcmp(token, "old") == 0) {
        *detail = "Authentication token expired";
        return false;
    }
    if (!g_str_has_prefix(token, "token-")) {
        *detail = "Invalid authentication token";
        return false;
    }
    *agent_id = g_strdup(token + 6);
    return true;
}

/* --- the world ------------------------------------------------------------------------------- */

static char *write_pem(World *world, const char *name, char *text)
{
    char *path = test_write(world->directory, name, text);
    g_free(text);
    return path;
}

static void make_certificates(World *world)
{
    world->authority =
        test_identity_new(&(TestProfile){.common_name = "Test CA", .authority = true}, NULL);
    world->other_authority =
        test_identity_new(&(TestProfile){.common_name = "Other CA", .authority = true}, NULL);
    world->server_identity = test_identity_new(
        &(TestProfile){.common_name = "server", .names = "DNS:localhost,IP:127.0.0.1"},
        world->authority);
    world->admin = test_identity_new(
        &(TestProfile){.common_name = "operator", .usage = "clientAuth"}, world->authority);
    world->ca_file = write_pem(world, "ca.pem", test_certificate_pem(world->authority));
    world->other_ca_file =
        write_pem(world, "other.pem", test_certificate_pem(world->other_authority));
    world->admin_certificate = write_pem(world, "admin.pem", test_certificate_pem(world->admin));
    world->admin_key = write_pem(world, "admin.key", test_key_pem(world->admin));
}

World *world_new(unsigned workers, unsigned idle_seconds)
{
    static const char *const admin_names[] = {"client", NULL};
    static const char *const proxies[] = {"127.0.0.1", NULL};
    World *world = g_new0(World, 1);
    g_mutex_init(&world->lock);
    g_cond_init(&world->changed);
    world->directory = g_dir_make_tmp("http-XXXXXX", NULL);
    make_certificates(world);
    world->tls = test_server_context(world->server_identity, world->authority);
    HttpServerSettings settings = {
        .routes = routes,
        .context = world,
        .token_check = check_token,
        .io_threads = 1,
        .workers = workers,
        .queue_limit = 2,
        .max_body = 100000,
        .max_body_option = "max_upload_size",
        .idle_seconds = idle_seconds,
        .admin_names = admin_names,
        .trusted_proxies = proxies,
        .drain_seconds = 2,
    };
    g_autoptr(GError) error = NULL;
    world->server = http_server_new(&settings, &error);
    g_assert_no_error(error);
    http_server_listen(world->server, "127.0.0.1", 0, world->tls, &world->port, &error);
    g_assert_no_error(error);
    http_server_listen(world->server, "127.0.0.1", 0, NULL, &world->plain_port, &error);
    g_assert_no_error(error);
    http_server_start(world->server, &error);
    g_assert_no_error(error);
    return world;
}

void world_free(World *world)
{
    world_release(world);
    http_server_free(world->server);
    SSL_CTX_free(world->tls);
    char **files[] = {&world->ca_file, &world->other_ca_file, &world->admin_certificate,
                      &world->admin_key};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_unlink(*files[i]);
        g_free(*files[i]);
    }
    g_rmdir(world->directory);
    g_free(world->directory);
    test_identity_free(world->authority);
    test_identity_free(world->other_authority);
    test_identity_free(world->server_identity);
    test_identity_free(world->admin);
    g_mutex_clear(&world->lock);
    g_cond_clear(&world->changed);
    g_free(world);
}

void world_wait_held(World *world, unsigned count)
{
    g_mutex_lock(&world->lock);
    while (world->held < count)
        g_cond_wait(&world->changed, &world->lock);
    g_mutex_unlock(&world->lock);
}

void world_release(World *world)
{
    g_mutex_lock(&world->lock);
    world->released = true;
    g_cond_broadcast(&world->changed);
    g_mutex_unlock(&world->lock);
}

HttpClient *world_client(World *world, bool as_admin)
{
    HttpClientSettings settings = {
        .ca_file = world->ca_file,
        .client_certificate = as_admin ? world->admin_certificate : NULL,
        .client_key = as_admin ? world->admin_key : NULL,
        .verify_peer = true,
        .verify_host = true,
        .timeout_ms = 5000,
        .wake_fd = -1,
    };
    g_autoptr(GError) error = NULL;
    HttpClient *client = http_client_new(&settings, &error);
    g_assert_no_error(error);
    return client;
}

char *world_url(World *world, const char *path)
{
    return g_strdup_printf("https://127.0.0.1:%u%s", world->port, path);
}

/* --- raw connections ------------------------------------------------------------------------- */

Raw raw_connect(unsigned port, bool encrypted)
{
    Raw raw = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g_assert_cmpint(connect(raw.fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    if (encrypted) {
        raw.context = SSL_CTX_new(TLS_client_method());
        raw.ssl = SSL_new(raw.context);
        SSL_set_fd(raw.ssl, raw.fd);
        g_assert_cmpint(SSL_connect(raw.ssl), ==, 1);
    }
    return raw;
}

void raw_send(Raw *raw, const void *data, size_t size)
{
    /* A server that has had enough may have closed already; what it answered is what counts. */
    while (size > 0) {
        ssize_t sent = raw->ssl ? SSL_write(raw->ssl, data, (int)size)
                                : send(raw->fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data = (const char *)data + sent;
        size -= (size_t)sent;
    }
}

void raw_text(Raw *raw, const char *text)
{
    raw_send(raw, text, strlen(text));
}

static bool wait_readable(Raw *raw, unsigned seconds)
{
    if (raw->ssl && SSL_pending(raw->ssl) > 0)
        return true;
    struct pollfd wait = {.fd = raw->fd, .events = POLLIN};
    return poll(&wait, 1, (int)seconds * 1000) > 0;
}

char *raw_read(Raw *raw, unsigned seconds, bool *closed)
{
    GString *text = g_string_new(NULL);
    *closed = false;
    while (wait_readable(raw, seconds)) {
        char buffer[16384];
        ssize_t got = raw->ssl ? SSL_read(raw->ssl, buffer, sizeof buffer)
                               : recv(raw->fd, buffer, sizeof buffer, 0);
        if (got <= 0) {
            *closed =
                raw->ssl ? SSL_get_error(raw->ssl, (int)got) == SSL_ERROR_ZERO_RETURN : got == 0;
            break;
        }
        g_string_append_len(text, buffer, got);
    }
    return g_string_free(text, FALSE);
}

void raw_close(Raw *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    close(raw->fd);
}
