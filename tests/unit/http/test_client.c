/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "test_world.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the headers it relies on. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int make_world(void **state)
{
    *state = world_new(2, 5);
    return 0;
}

static int end_world(void **state)
{
    world_free(*state);
    return 0;
}

static HttpClient *client_with(const char *ca_file, bool verify_host, unsigned timeout_ms)
{
    HttpClientSettings settings = {.ca_file = ca_file,
                                   .verify_peer = ca_file != NULL,
                                   .verify_host = verify_host,
                                   .timeout_ms = timeout_ms,
                                   .wake_fd = -1};
    g_autoptr(GError) error = NULL;
    HttpClient *client = http_client_new(&settings, &error);
    g_assert_no_error(error);
    return client;
}

/* The request must fail with `code`, and its text must hold every part. */
static void expect_failure(HttpClient *client, const char *url, HttpClientError code,
                           const char *const *parts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpAnswer) answer = http_client_send(client, "GET", url, NULL, BYTES_EMPTY, &error);
    if (answer)
        fail_msg("%s answered %u", url, answer->status);
    if (!g_error_matches(error, HTTP_CLIENT_ERROR, (gint)code))
        fail_msg("%s: code %d instead of %d: %s", url, error->code, (int)code, error->message);
    for (; *parts; parts++) {
        if (!strstr(error->message, *parts))
            fail_msg("%s: no '%s' in: %s", url, *parts, error->message);
    }
}

static unsigned send_ok(HttpClient *client, const char *url, const char *member,
                        const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpAnswer) answer = http_client_send(client, "GET", url, NULL, BYTES_EMPTY, &error);
    if (!answer)
        fail_msg("%s: %s", url, error->message);
    g_autoptr(Json) json = http_answer_json(answer);
    assert_non_null(json);
    if (member)
        assert_string_equal(json_member_text(json_member(json, "results"), member), expected);
    return answer->status;
}

static void an_answer_is_read_whole(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = world_client(world, false);
    g_autofree char *url = world_url(world, "/v3.0/json?q=a%26b&q2");
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpAnswer) answer =
        http_client_send(client, "POST", url, NULL, bytes_of_text("{\"member\":\"here\"}"), &error);
    assert_non_null(answer);
    assert_int_equal(answer->status, 200);
    assert_int_equal(answer->retry_after, -1);
    assert_null(answer->location);
    g_autofree char *address = g_strdup_printf("127.0.0.1:%u", world->port);
    assert_string_equal(answer->remote_address, address);
    g_autoptr(Json) json = http_answer_json(answer);
    Json *results = json_member(json, "results");
    assert_string_equal(json_member_text(results, "member"), "here");
    assert_string_equal(json_member_text(results, "query"), "a&b");
}

static void redirects_are_answers(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = world_client(world, false);
    g_autofree char *url = world_url(world, "/");
    g_autoptr(HttpAnswer) answer = http_client_send(client, "GET", url, NULL, BYTES_EMPTY, NULL);
    assert_non_null(answer);
    assert_int_equal(answer->status, 307);
    assert_string_equal(answer->location, "/v3.0/");
    g_autofree char *later = world_url(world, "/v3.0/later");
    g_autoptr(HttpAnswer) busy = http_client_send(client, "GET", later, NULL, BYTES_EMPTY, NULL);
    assert_int_equal(busy->status, 503);
    assert_int_equal(busy->retry_after, 7);
}

static void an_admin_shows_its_certificate(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = world_client(world, true);
    g_autofree char *url = world_url(world, "/v2.6/agents");
    send_ok(client, url, "name", "operator");
    g_autoptr(HttpClient) nobody = world_client(world, false);
    g_autoptr(HttpAnswer) refused = http_client_send(nobody, "GET", url, NULL, BYTES_EMPTY, NULL);
    assert_int_equal(refused->status, 403);
}

static void an_untrusted_server_gets_no_request(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = client_with(world->other_ca_file, true, 3000);
    g_autofree char *url = world_url(world, "/version");
    expect_failure(client, url, HTTP_CLIENT_ERROR_CERTIFICATE,
                   (const char *[]){"certificate verify failed", world->other_ca_file,
                                    "CN=Other CA", "CN=Test CA", "CN=server", NULL});
    assert_int_equal(g_atomic_int_get(&world->served), 0);
    /* Trust in the system's store must not help (contract C89). */
    g_setenv("SSL_CERT_FILE", world->ca_file, TRUE);
    g_setenv("CURL_CA_BUNDLE", world->ca_file, TRUE);
    expect_failure(client, url, HTTP_CLIENT_ERROR_CERTIFICATE, (const char *[]){NULL});
    g_unsetenv("SSL_CERT_FILE");
    g_unsetenv("CURL_CA_BUNDLE");
}

static void a_wrong_name_is_told_the_right_ones(void **state)
{
    World *world = *state;
    g_autofree char *url_v4 = g_strdup_printf("https://127.1:%u/version", world->port);
    g_autoptr(TestIdentity) identity = test_identity_new(
        &(TestProfile){.common_name = "elsewhere", .names = "DNS:elsewhere.example,IP:192.0.2.1"},
        world->authority);
    SSL_CTX *tls = test_server_context(identity, world->authority);
    http_server_replace_tls(world->server, tls);
    SSL_CTX_free(tls);
    g_autoptr(HttpClient) strict = client_with(world->ca_file, true, 3000);
    expect_failure(strict, url_v4, HTTP_CLIENT_ERROR_CERTIFICATE,
                   (const char *[]){"hostname mismatch", "DNS elsewhere.example", "IP 192.0.2.1",
                                    "127.0.0.1", NULL});
    assert_int_equal(g_atomic_int_get(&world->served), 0);
    g_autoptr(HttpClient) lenient = client_with(world->ca_file, false, 3000);
    assert_int_equal(send_ok(lenient, url_v4, NULL, NULL), 200);
}

static void an_expired_certificate_shows_its_date(void **state)
{
    World *world = *state;
    g_autoptr(TestIdentity) identity = test_identity_new(
        &(TestProfile){
            .common_name = "old", .names = "IP:127.0.0.1", .valid_from = -7200, .valid_to = -3600},
        world->authority);
    SSL_CTX *tls = test_server_context(identity, world->authority);
    http_server_replace_tls(world->server, tls);
    SSL_CTX_free(tls);
    g_autoptr(HttpClient) client = client_with(world->ca_file, false, 3000);
    g_autofree char *url = world_url(world, "/version");
    expect_failure(client, url, HTTP_CLIENT_ERROR_CERTIFICATE,
                   (const char *[]){"expired on 20", "UTC", "CN=old", NULL});
    g_autoptr(HttpClient) insecure = client_with(NULL, false, 3000);
    assert_int_equal(send_ok(insecure, url, NULL, NULL), 200);
}

static void a_ca_file_that_changes_is_read_again(void **state)
{
    World *world = *state;
    g_autofree char *right = NULL, *wrong = NULL;
    g_file_get_contents(world->ca_file, &right, NULL, NULL);
    g_file_get_contents(world->other_ca_file, &wrong, NULL, NULL);
    g_autofree char *path = test_write(world->directory, "bundle.pem", wrong);
    g_autofree char *url = world_url(world, "/version");
    g_autoptr(HttpClient) client = client_with(path, true, 3000);
    expect_failure(client, url, HTTP_CLIENT_ERROR_CERTIFICATE, (const char *[]){NULL});
    /* Both: the second certificate of the bundle counts too (contract C91). */
    g_autofree char *both = g_strconcat(wrong, right, NULL);
    g_free(test_write(world->directory, "bundle.pem", both));
    send_ok(client, url, NULL, NULL);
    /* Garbage, and then no file at all: what was read stays. */
    g_free(test_write(world->directory, "bundle.pem", "nothing"));
    send_ok(client, url, NULL, NULL);
    g_unlink(path);
    send_ok(client, url, NULL, NULL);
    g_free(test_write(world->directory, "bundle.pem", wrong));
    expect_failure(client, url, HTTP_CLIENT_ERROR_CERTIFICATE, (const char *[]){NULL});
    g_unlink(path);
}

static void a_useless_ca_file_is_refused_at_once(void **state)
{
    World *world = *state;
    const char *files[] = {"/nonexistent/ca.pem", world->admin_key, NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        HttpClientSettings settings = {.ca_file = files[i], .verify_peer = true, .wake_fd = -1};
        g_autoptr(GError) error = NULL;
        assert_null(http_client_new(&settings, &error));
        assert_true(g_error_matches(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CA_FILE));
        if (files[i])
            assert_non_null(strstr(error->message, files[i]));
    }
}

/* A port of this machine on which `listening` decides whether somebody answers the connect. */
static int open_port(bool listening, unsigned *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd, (struct sockaddr *)&address, sizeof address);
    if (listening)
        listen(fd, 5);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

static void failures_to_connect_say_why(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = client_with(world->ca_file, true, 400);
    unsigned port;
    int fd = open_port(false, &port);
    g_autofree char *nobody = g_strdup_printf("https://localhost:%u/", port);
    g_autofree char *address = g_strdup_printf("127.0.0.1:%u", port);
    expect_failure(client, nobody, HTTP_CLIENT_ERROR_CONNECT,
                   (const char *[]){"connection refused", "localhost:", address, NULL});
    close(fd);
    expect_failure(client, "https://no-such-host.invalid/", HTTP_CLIENT_ERROR_RESOLVE,
                   (const char *[]){"name not found", "no-such-host.invalid:443", NULL});
    g_autofree char *plain = g_strdup_printf("https://127.0.0.1:%u/", world->plain_port);
    expect_failure(client, plain, HTTP_CLIENT_ERROR_TLS,
                   (const char *[]){"no TLS on this port", NULL});
    fd = open_port(true, &port);
    g_autofree char *mute = g_strdup_printf("https://127.0.0.1:%u/", port);
    expect_failure(client, mute, HTTP_CLIENT_ERROR_TIMEOUT, (const char *[]){"400 ms", NULL});
    close(fd);
    const char *const urls[] = {"ftp://localhost/", "nonsense", "https://", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(urls); i++)
        expect_failure(client, urls[i], HTTP_CLIENT_ERROR_URL, (const char *[]){NULL});
}

static void silence_ends_a_request_and_a_wake_up_cancels_it(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = client_with(world->ca_file, true, 400);
    g_autofree char *url = world_url(world, "/v3.0/hold");
    gint64 started = g_get_monotonic_time();
    expect_failure(client, url, HTTP_CLIENT_ERROR_TIMEOUT,
                   (const char *[]){"no sign of life", NULL});
    assert_in_range(g_get_monotonic_time() - started, 350000, 1500000);

    int wake = eventfd(1, 0);
    HttpClientSettings settings = {
        .ca_file = world->ca_file, .verify_peer = true, .timeout_ms = 5000, .wake_fd = wake};
    g_autoptr(HttpClient) woken = http_client_new(&settings, NULL);
    started = g_get_monotonic_time();
    expect_failure(woken, url, HTTP_CLIENT_ERROR_CANCELLED, (const char *[]){NULL});
    assert_in_range(g_get_monotonic_time() - started, 0, 1000000);
    close(wake);
}

/* Answers a byte now and then, for ever: never silent, never done. */
static gpointer dribble(gpointer data)
{
    int listening = GPOINTER_TO_INT(data);
    int fd = accept(listening, NULL, NULL);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    bool open = send(fd, head, strlen(head), MSG_NOSIGNAL) > 0;
    while (open) {
        g_usleep(50000);
        open = send(fd, "x", 1, MSG_NOSIGNAL) == 1;
    }
    close(fd);
    return NULL;
}

static void a_request_as_a_whole_has_its_limit(void **state)
{
    unsigned port;
    int fd = open_port(true, &port);
    GThread *thread = g_thread_new("dribble", dribble, GINT_TO_POINTER(fd));
    HttpClientSettings settings = {.timeout_ms = 5000, .total_timeout_ms = 600, .wake_fd = -1};
    HttpClient *client = http_client_new(&settings, NULL);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", port);
    gint64 started = g_get_monotonic_time();
    expect_failure(client, url, HTTP_CLIENT_ERROR_TIMEOUT,
                   (const char *[]){"no whole answer within 600 ms", NULL});
    assert_in_range(g_get_monotonic_time() - started, 500000, 10000000);
    http_client_free(client);
    g_thread_join(thread);
    close(fd);
}

static void hosts_of_urls(void **state)
{
    const struct {
        const char *url, *host;
    } cases[] = {
        {"https://a.example/x?y", "a.example:443"},
        {"http://user:secret@b:81", "b:81"},
        {"https://[::1]:8/", "[::1]:8"},
        {"https://", NULL},
        {"ftp://a/", NULL},
        {"a.example", NULL},
        {"https://a b/", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *host = http_url_host(cases[i].url);
        assert_int_equal(g_strcmp0(host, cases[i].host), 0);
    }
}

static void an_answer_beyond_the_limit_is_cut(void **state)
{
    World *world = *state;
    HttpClientSettings settings = {.ca_file = world->ca_file,
                                   .verify_peer = true,
                                   .timeout_ms = 5000,
                                   .max_answer = 100000,
                                   .wake_fd = -1};
    g_autoptr(HttpClient) client = http_client_new(&settings, NULL);
    g_autofree char *url = world_url(world, "/v3.0/large");
    expect_failure(client, url, HTTP_CLIENT_ERROR_TOO_LARGE,
                   (const char *[]){"100000 bytes", NULL});
    g_autofree char *small = world_url(world, "/version");
    send_ok(client, small, NULL, NULL);
}

static void a_refusal_of_a_large_body_is_read(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = world_client(world, false);
    g_autofree char *url = world_url(world, "/v3.0/echo");
    g_autofree char *body = g_strnfill(3000000, 'x');
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpAnswer) answer =
        http_client_send(client, "POST", url, NULL, bytes_of_text(body), &error);
    if (!answer)
        fail_msg("%s", error->message);
    assert_int_equal(answer->status, 413);
}

static gpointer answer_with(gpointer data)
{
    /* One connection: read the request, say the text, close. */
    const char *text = ((const char **)data)[0];
    int listener = GPOINTER_TO_INT(((gpointer *)data)[1]);
    int fd = accept(listener, NULL, NULL);
    char buffer[4096];
    ssize_t got = read(fd, buffer, sizeof buffer);
    (void)got;
    ssize_t sent = write(fd, text, strlen(text));
    (void)sent;
    shutdown(fd, SHUT_WR);
    while (read(fd, buffer, sizeof buffer) > 0)
        continue;
    close(fd);
    return NULL;
}

static void garbage_is_no_answer(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = client_with(world->ca_file, true, 3000);
    static const char *const texts[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        unsigned port;
        int fd = open_port(true, &port);
        gpointer job[] = {(gpointer)texts[i], GINT_TO_POINTER(fd)};
        GThread *thread = g_thread_new("peer", answer_with, job);
        g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", port);
        expect_failure(client, url, HTTP_CLIENT_ERROR_BROKEN, (const char *[]){NULL});
        g_thread_join(thread);
        close(fd);
    }
}

static void retry_after_is_a_number_or_a_date(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = client_with(world->ca_file, true, 3000);
    static const struct {
        const char *value;
        gint64 least, most;
    } cases[] = {
        {"120", 120, 120},
        {"0", 0, 0},
        {"Fri, 31 Dec 1999 23:59:59 GMT", 0, 0},
        {"Fri, 31 Dec 2100 23:59:59 GMT", 1000000000, G_MAXINT64},
        {"soon", -1, -1},
        {"-5", -1, -1},
        {"1.5", -1, -1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        unsigned port;
        int fd = open_port(true, &port);
        g_autofree char *text =
            g_strdup_printf("HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: "
                            "0\r\nRetry-After: %s\r\n\r\n",
                            cases[i].value);
        gpointer job[] = {text, GINT_TO_POINTER(fd)};
        GThread *thread = g_thread_new("peer", answer_with, job);
        g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", port);
        g_autoptr(HttpAnswer) answer =
            http_client_send(client, "GET", url, NULL, BYTES_EMPTY, NULL);
        g_thread_join(thread);
        close(fd);
        assert_non_null(answer);
        if (answer->retry_after < cases[i].least || answer->retry_after > cases[i].most)
            fail_msg("%s became %" G_GINT64_FORMAT, cases[i].value, answer->retry_after);
    }
}

static void segments_are_encoded(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {{"d432fbb3-d2f1.A_~", "d432fbb3-d2f1.A_~"},
                 {"a/b?c", "a%2Fb%3Fc"},
                 {"..", "%2E%2E"},
                 {"\xc3\xa4 %", "%C3%A4%20%25"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *encoded = http_encode_segment(cases[i].plain);
        assert_string_equal(encoded, cases[i].encoded);
    }
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
    signal(SIGPIPE, SIG_DFL); /* the client must do without the program's help */
    if (!g_getenv("HTTP_TEST_LOG"))
        log_set_level(LOG_LEVEL_ERROR);
    g_setenv("NO_PROXY", "*", TRUE);
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_answer_is_read_whole),
        WORLD_TEST(redirects_are_answers),
        WORLD_TEST(an_admin_shows_its_certificate),
        WORLD_TEST(an_untrusted_server_gets_no_request),
        WORLD_TEST(a_wrong_name_is_told_the_right_ones),
        WORLD_TEST(an_expired_certificate_shows_its_date),
        WORLD_TEST(a_ca_file_that_changes_is_read_again),
        WORLD_TEST(a_useless_ca_file_is_refused_at_once),
        WORLD_TEST(failures_to_connect_say_why),
        WORLD_TEST(silence_ends_a_request_and_a_wake_up_cancels_it),
        WORLD_TEST(an_answer_beyond_the_limit_is_cut),
        WORLD_TEST(a_refusal_of_a_large_body_is_read),
        WORLD_TEST(garbage_is_no_answer),
        WORLD_TEST(retry_after_is_a_number_or_a_date),
        cmocka_unit_test(a_request_as_a_whole_has_its_limit),
        cmocka_unit_test(hosts_of_urls),
        cmocka_unit_test(segments_are_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
