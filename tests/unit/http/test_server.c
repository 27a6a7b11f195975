/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "test_world.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the headers it relies on. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int make_world(void **state)
{
    *state = world_new(2, 1);
    return 0;
}

static int end_world(void **state)
{
    world_free(*state);
    return 0;
}

/* One request as admin or nobody; the whole answer. */
static HttpAnswer *ask(World *world, bool as_admin, const char *method, const char *path,
                       const char *const *headers, const char *body)
{
    g_autoptr(HttpClient) client = world_client(world, as_admin);
    g_autofree char *url = world_url(world, path);
    g_autoptr(GError) error = NULL;
    HttpAnswer *answer =
        http_client_send(client, method, url, headers, bytes_of_text(body), &error);
    if (error)
        fail_msg("%s %s: %s", method, path, error->message);
    return answer;
}

static char *text_of(const HttpAnswer *answer)
{
    Bytes body = bytes_of_gbytes(answer->body);
    return g_strndup((const char *)body.data, body.size);
}

static void expect(const HttpAnswer *answer, unsigned status, const char *part)
{
    g_autofree char *text = text_of(answer);
    if (answer->status != status || !strstr(text, part))
        fail_msg("%u instead of %u, or without '%s': %s", answer->status, status, part, text);
}

/* Send `text` on a fresh connection and compare the start of what comes. */
static void expect_raw(World *world, bool encrypted, const char *text, const char *start,
                       const char *part)
{
    Raw raw = raw_connect(encrypted ? world->port : world->plain_port, encrypted);
    raw_text(&raw, text);
    bool closed;
    g_autofree char *answer = raw_read(&raw, 4, &closed);
    raw_close(&raw);
    if (!g_str_has_prefix(answer, start) || !strstr(answer, part))
        fail_msg("'%.60s' got: %s", text, answer);
    assert_true(closed);
}

/* --- access ---------------------------------------------------------------------------------- */

static void access_follows_the_matrix(void **state)
{
    static const struct {
        const char *method, *path, *authorization;
        bool admin;
        unsigned status;
        const char *part;
    } cases[] = {
        {"GET", "/version", NULL, false, 200, "\"identity\":\"anonymous\""},
        {"GET", "/version", NULL, true, 200, "\"name\":\"operator\""},
        {"GET", "/version", "Bearer wrong", true, 401, "Invalid authentication token"},
        {"GET", "/version", "Bearer old", false, 401, "Authentication token expired"},
        {"GET", "/version", "Basic eDp5", true, 401, "Invalid Authorization header format"},
        {"GET", "/version", "Bearer token-a", false, 200, "\"token\":\"token-a\""},
        {"GET", "/version", "bEARER token-a", false, 200, "\"identity\":\"agent\""},
        {"POST", "/v3.0/sessions", "Bearer wrong", false, 200, "\"identity\":\"anonymous\""},
        {"GET", "/v2.6/agents", NULL, false, 403,
         "Action list_agents requires admin authentication (mTLS certificate)"},
        {"GET", "/v2.6/agents", NULL, true, 200, "\"identity\":\"admin\""},
        {"GET", "/v2.6/agents", "Bearer token-a", true, 403,
         "Action list_agents requires admin authentication (mTLS certificate)"},
        {"GET", "/v2.6/agents/a", NULL, false, 403, "Action read_agent requires authentication"},
        {"GET", "/v2.6/agents/a", "Bearer token-a", false, 200, "\"agent_id\":\"a\""},
        {"GET", "/v2.6/agents/b", "Bearer token-a", false, 403,
         "Agent a cannot access resource b (ownership required)"},
        {"GET", "/v2.6/agents/b", NULL, true, 200, "\"agent_id\":\"b\""},
        {"POST", "/v3/agents/a/attestations", NULL, true, 403,
         "Action submit_attestation requires agent authentication (PoP token)"},
        {"POST", "/v3/agents/a/attestations", "Bearer token-b", false, 403, "ownership"},
        {"POST", "/v3/agents/a/attestations", "Bearer token-a", false, 200, "\"member\":\"x\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *authorization =
            g_strdup_printf("Authorization: %s", cases[i].authorization);
        const char *headers[] = {"Content-Type: Application/vnd.api+json; charset=utf-8",
                                 cases[i].authorization ? authorization : NULL, NULL};
        bool post = strcmp(cases[i].method, "POST") == 0;
        g_autoptr(HttpAnswer) answer = ask(*state, cases[i].admin, cases[i].method, cases[i].path,
                                           headers, post ? "{\"member\":\"x\"}" : NULL);
        expect(answer, cases[i].status, cases[i].part);
    }
}

static void a_refused_token_names_the_scheme(void **state)
{
    expect_raw(*state, true,
               "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
               "no\r\nX-Request-ID: abc-123_X\r\n\r\n",
               "HTTP/1.1 401 Unauthorized\r\n", "WWW-Authenticate: Bearer\r\n");
}

static void the_request_id_is_echoed_in_word_characters(void **state)
{
    expect_raw(*state, true,
               "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: "
               "a-b\"c_1.0123456789012345678901234567890123456789\r\n\r\n",
               "HTTP/1.1 200 OK\r\n", "X-Request-Id: abc_10123456789012345678901234567890\r\n");
    expect_raw(*state, true, "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
               "HTTP/1.1 200 OK\r\n", "X-Request-Id: \r\n");
}

static void the_plain_port_serves_public_routes_only(void **state)
{
    expect_raw(*state, false, "GET /version HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n",
               "\"identity\":\"anonymous\"");
    expect_raw(*state, false, "GET /v2.6/agents HTTP/1.0\r\nAuthorization: Bearer no\r\n\r\n",
               "HTTP/1.1 400 Bad Request\r\n", "needs HTTPS");
}

static void a_trusted_proxy_names_the_client(void **state)
{
    const char *headers[] = {"X-Forwarded-For: 10.0.0.1, 192.0.2.7, 127.0.0.1", NULL};
    g_autoptr(HttpAnswer) answer = ask(*state, false, "GET", "/version", headers, NULL);
    expect(answer, 200, "\"peer\":\"192.0.2.7\"");
    /* A line of its own, below what the client wrote itself. */
    const char *lines[] = {"X-Forwarded-For: 10.0.0.1", "Accept: */*", "x-forwarded-for: 192.0.2.8",
                           NULL};
    g_autoptr(HttpAnswer) second = ask(*state, false, "GET", "/version", lines, NULL);
    expect(second, 200, "\"peer\":\"192.0.2.8\"");
}

/* --- errors of the layer --------------------------------------------------------------------- */

static void errors_come_in_the_form_of_the_version(void **state)
{
    static const struct {
        const char *method, *path, *type, *body;
        unsigned status;
        const char *part;
    } cases[] = {
        {"GET", "/nowhere", NULL, NULL, 404, "{\"errors\":[{\"status\":\"404\",\"title\":"},
        {"GET", "/v2.6/nowhere", NULL, NULL, 404, "{\"code\":404,\"status\":"},
        {"GET", "/v3.0/nowhere", NULL, NULL, 404, "\"code\":\"not_found\""},
        {"GET", "/v3.0/nowhere", NULL, NULL, 404, "\"jsonapi\":{\"version\":\"1.1\"}"},
        {"PUT", "/v2.6/agents", NULL, "x", 405, "This path is for GET"},
        {"OPTIONS", "/v2.6/agents", NULL, NULL, 405, "This path is for GET"},
        {"TRACE", "/v2.6/agents", NULL, NULL, 405, "This path is for GET"},
        {"BREW", "/v2.6/agents", NULL, NULL, 501, "{\"code\":501"},
        {"GET", "/v2.6/agents/a|b", NULL, NULL, 400, "RFC 3986"},
        {"POST", "/v2.6/json", NULL, "{\"member\":\"x\"}", 200, "\"member\":\"x\""},
        {"POST", "/v2.6/json", "text/plain", "{\"member\":\"x\"}", 200, "\"member\":\"x\""},
        {"POST", "/v2.6/json", "application/json", "[]", 400, "must be a JSON object"},
        {"POST", "/v2.6/json", "application/json", "", 400, "{\"code\":400"},
        {"POST", "/v2.6/json", "application/json", "{\"a\":", 400, "is no JSON"},
        {"POST", "/v3.0/json", "application/json", "{", 400, "\"code\":\"invalid_request\""},
        {"POST", "/v3.0/sessions", "application/json", "{", 400, "\"title\":\"Bad Request\""},
        {"GET", "/v3.0/silent", NULL, NULL, 500, "internal_error"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *type = g_strdup_printf("Content-Type: %s", cases[i].type);
        const char *headers[] = {cases[i].type ? type : NULL, NULL};
        g_autoptr(HttpAnswer) answer =
            ask(*state, false, cases[i].method, cases[i].path, headers, cases[i].body);
        expect(answer, cases[i].status, cases[i].part);
    }
    const char *headers[] = {"Authorization: Bearer token-a", "Content-Type: application/json",
                             NULL};
    g_autoptr(HttpAnswer) wrong_type =
        ask(*state, false, "POST", "/v3/agents/a/attestations", headers, "{}");
    expect(wrong_type, 415, "unsupported_media_type");
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    expect_raw(*state, true, "HEAD /v2.6/agents HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
               "HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET\r\n");
}

static void malformed_requests_are_told_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *start, *part;
    } cases[] = {
        {"GET /\r\n\r\n", "HTTP/1.1 400 ", "request line"},
        {"GET  / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "request line"},
        {"GET / HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 ", "CR LF"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "Host"},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ", "HTTP/1.1"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ", "HTTP/1.1"},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400 ", "repeated"},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "HTTP/1.1 400 ", "token"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", "no colon"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\001\r\n\r\n", "HTTP/1.1 400 ", "control"},
        {"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 ", "escaped"},
        {"POST /v3/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         "HTTP/1.1 400 ", "exclude"},
        {"POST /v3/echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 ",
         "no number"},
        {"POST /v3/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         "HTTP/1.1 400 ", "repeated"},
        {"POST /v3/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 ",
         "chunked"},
        {"POST /v3/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
         "HTTP/1.1 400 ", "chunked body"},
        {"POST /v3/echo HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n", "HTTP/1.1 417 ", "100"},
        {"\x16\x03\x01\x02", "HTTP/1.1 400 ", "no HTTP"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_raw(*state, i % 2 == 0, cases[i].text, cases[i].start, cases[i].part);
}

/* --- bodies and limits ----------------------------------------------------------------------- */

static void chunked_and_announced_bodies_arrive(void **state)
{
    expect_raw(*state, true,
               "POST /v3/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
               "chunked\r\n\r\n5;x=y\r\n{\"mem\r\n0a\r\nber\":\"in\"}\r\n0\r\nTrailer: t\r\n\r\n",
               "HTTP/1.1 200 OK\r\n", "\"member\":\"in\"");
    Raw raw = raw_connect(((World *)*state)->port, true);
    raw_text(&raw, "POST /v3/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
                   "3\r\nExpect: 100-continue\r\n\r\n");
    char first[64] = "";
    assert_true(SSL_read(raw.ssl, first, sizeof first - 1) > 0);
    assert_string_equal(first, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_text(&raw, "abc");
    bool closed;
    g_autofree char *answer = raw_read(&raw, 4, &closed);
    raw_close(&raw);
    assert_non_null(strstr(answer, "\"body\":3"));
}

/* Twenty thousand empty objects would take 16 MiB of memory. */
static void many_small_values_are_refused(void **state)
{
    g_autoptr(GString) body = g_string_new("{\"data\": [{}");
    while (body->len < 60000)
        g_string_append(body, ",{}");
    g_string_append(body, "]}");
    g_autofree char *request =
        g_strdup_printf("POST /v3/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        body->len, body->str);
    expect_raw(*state, true, request, "HTTP/1.1 400 ", "more values");
    assert_int_equal(g_atomic_int_get(&((World *)*state)->served), 0);
}

static void a_large_body_is_refused_in_words(void **state)
{
    World *world = *state;
    for (unsigned way = 0; way < 3; way++) {
        Raw raw = raw_connect(world->port, true);
        raw_text(&raw, "POST /v3/echo HTTP/1.1\r\nHost: x\r\n");
        raw_text(&raw, way == 1 ? "Transfer-Encoding: chunked\r\n\r\n"
                                : "Content-Length: 180000\r\n\r\n");
        /* The whole body is sent before anything is read: the answer must survive that. */
        g_autofree char *body = g_strnfill(180000, 'x');
        if (way == 1)
            raw_text(&raw, "2bf20\r\n");
        raw_send(&raw, body, way == 2 ? 10 : 180000);
        bool closed;
        g_autofree char *answer = raw_read(&raw, 4, &closed);
        raw_close(&raw);
        assert_true(g_str_has_prefix(answer, "HTTP/1.1 413 "));
        assert_non_null(strstr(answer, "100000 bytes"));
        assert_non_null(strstr(answer, "max_upload_size"));
        assert_true(closed);
    }
    assert_int_equal(g_atomic_int_get(&world->served), 0);
    /* A route may take less than the server; no option moves that. */
    expect_raw(world, true, "POST /v3/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
               "HTTP/1.1 413 ", "1000 bytes that are taken here\"");
    /* Nobody has to send a body that will be refused anyway. */
    expect_raw(world, true,
               "POST /v3/agents/a/attestations HTTP/1.1\r\nHost: x\r\nContent-Length: "
               "90000\r\n\r\n",
               "HTTP/1.1 403 ", "PoP token");
}

static void a_flood_of_headers_is_refused(void **state)
{
    World *world = *state;
    Raw raw = raw_connect(world->port, true);
    raw_text(&raw, "GET /version HTTP/1.1\r\nHost: x\r\nFlood: ");
    g_autofree char *flood = g_strnfill(200000, 'x');
    raw_send(&raw, flood, 200000);
    bool closed;
    g_autofree char *answer = raw_read(&raw, 4, &closed);
    raw_close(&raw);
    assert_true(g_str_has_prefix(answer, "HTTP/1.1 431 "));
    GString *many = g_string_new("GET /version HTTP/1.1\r\nHost: x\r\n");
    for (unsigned i = 0; i < 101; i++)
        g_string_append_printf(many, "H%u: x\r\n", i);
    g_string_append(many, "\r\n");
    expect_raw(world, false, many->str, "HTTP/1.1 431 ", "100 headers");
    g_string_free(many, TRUE);
}

static void a_slow_request_is_cut_off(void **state)
{
    World *world = *state;
    Raw idle = raw_connect(world->port, true);
    Raw slow = raw_connect(world->port, true);
    Raw slow_body = raw_connect(world->port, true);
    raw_text(&slow_body, "POST /v3/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    const char *text = "GET /version HTTP/1.1\r\nHost";
    gint64 started = g_get_monotonic_time();
    for (size_t i = 0; i < strlen(text) && g_get_monotonic_time() - started < 3000000; i++) {
        raw_send(&slow, text + i, 1);
        raw_send(&slow_body, "x", 1);
        g_usleep(120000);
    }
    bool closed;
    g_autofree char *answer = raw_read(&slow, 3, &closed);
    assert_true(g_str_has_prefix(answer, "HTTP/1.1 408 "));
    g_autofree char *body_answer = raw_read(&slow_body, 3, &closed);
    assert_true(g_str_has_prefix(body_answer, "HTTP/1.1 408 "));
    g_autofree char *nothing = raw_read(&idle, 3, &closed);
    assert_string_equal(nothing, "");
    assert_true(closed);
    raw_close(&idle);
    raw_close(&slow);
    raw_close(&slow_body);
}

/* --- connections ----------------------------------------------------------------------------- */

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        found++;
    return found;
}

static void requests_follow_each_other_on_a_connection(void **state)
{
    World *world = *state;
    for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
        Raw raw = raw_connect(encrypted ? world->port : world->plain_port, encrypted);
        GString *pipeline = g_string_new("\r\n");
        for (unsigned i = 0; i < 20; i++)
            g_string_append(pipeline, "POST /v3/echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
                                      "3\r\n\r\nabcGET /version HTTP/1.1\r\nHost: x\r\n\r\n");
        g_string_append(pipeline, "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        raw_send(&raw, pipeline->str, pipeline->len);
        g_string_free(pipeline, TRUE);
        bool closed;
        g_autofree char *answers = raw_read(&raw, 4, &closed);
        raw_close(&raw);
        assert_int_equal(count(answers, "HTTP/1.1 200 OK"), 40);
        assert_int_equal(count(answers, "HTTP/1.1 404 "), 1);
        assert_true(closed);
    }
}

static void a_half_closed_connection_gets_its_answer(void **state)
{
    World *world = *state;
    Raw raw = raw_connect(world->plain_port, false);
    raw_text(&raw, "GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(raw.fd, SHUT_WR);
    bool closed;
    g_autofree char *answer = raw_read(&raw, 4, &closed);
    raw_close(&raw);
    assert_true(g_str_has_prefix(answer, "HTTP/1.1 200 "));
    assert_true(closed);
}

static void a_large_answer_arrives_whole(void **state)
{
    g_autoptr(HttpAnswer) answer = ask(*state, false, "GET", "/v3/large", NULL, NULL);
    assert_int_equal(g_bytes_get_size(answer->body), 8 * 1024 * 1024);
}

static void a_full_queue_is_answered_503(void **state)
{
    World *world = *state;
    Raw busy[4];
    for (unsigned i = 0; i < 4; i++) {
        /* Two are in work and two wait: one after the other, as threads take them one by one. */
        busy[i] = raw_connect(world->port, true);
        raw_text(&busy[i], "GET /v3/hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        if (i < 2)
            world_wait_held(world, i + 1);
    }
    g_usleep(200000);
    g_autoptr(HttpAnswer) refused = ask(world, false, "GET", "/v3/hold", NULL, NULL);
    expect(refused, 503, "busy");
    assert_int_equal(refused->retry_after, 1);
    world_release(world);
    for (unsigned i = 0; i < 4; i++) {
        bool closed;
        g_autofree char *answer = raw_read(&busy[i], 4, &closed);
        assert_true(g_str_has_prefix(answer, "HTTP/1.1 200 "));
        raw_close(&busy[i]);
    }
}

static void heavy_requests_leave_workers_to_others(void **state)
{
    World *world = *state;
    Raw busy = raw_connect(world->port, true);
    raw_text(&busy, "GET /v3/heavy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    world_wait_held(world, 1);
    g_autoptr(HttpAnswer) refused = ask(world, false, "GET", "/v3/heavy", NULL, NULL);
    expect(refused, 503, "Too many requests of this kind");
    assert_int_equal(refused->retry_after, 1);
    g_autoptr(HttpAnswer) other = ask(world, false, "GET", "/version", NULL, NULL);
    assert_int_equal(other->status, 200);
    world_release(world);
    bool closed;
    g_autofree char *answer = raw_read(&busy, 4, &closed);
    assert_true(g_str_has_prefix(answer, "HTTP/1.1 200 "));
    raw_close(&busy);
    g_autoptr(HttpAnswer) next = ask(world, false, "GET", "/v3/heavy", NULL, NULL);
    assert_int_equal(next->status, 200);
}

static void a_client_may_leave_while_its_request_is_in_work(void **state)
{
    World *world = *state;
    Raw raw = raw_connect(world->port, true);
    raw_text(&raw, "GET /v3/hold HTTP/1.1\r\nHost: x\r\n\r\n");
    world_wait_held(world, 1);
    raw_close(&raw);
    g_usleep(100000);
    world_release(world);
    g_autoptr(HttpAnswer) answer = ask(world, false, "GET", "/version", NULL, NULL);
    expect(answer, 200, "anonymous");
}

static void stopping_lets_requests_end(void **state)
{
    World *world = *state;
    Raw idle = raw_connect(world->port, true);
    Raw busy = raw_connect(world->port, true);
    raw_text(&busy, "GET /v3/hold HTTP/1.1\r\nHost: x\r\n\r\n");
    world_wait_held(world, 1);
    g_autoptr(GThread) stopping = g_thread_ref(
        g_thread_new("stop", (GThreadFunc)(void (*)(void))http_server_stop, world->server));
    bool closed;
    g_autofree char *nothing = raw_read(&idle, 4, &closed);
    assert_string_equal(nothing, "");
    assert_true(closed);
    world_release(world);
    g_autofree char *answer = raw_read(&busy, 4, &closed);
    assert_true(g_str_has_prefix(answer, "HTTP/1.1 200 "));
    assert_non_null(strstr(answer, "Connection: close"));
    g_thread_join(stopping);
    raw_close(&idle);
    raw_close(&busy);
}

static void stopping_does_not_wait_for_ever(void **state)
{
    World *world = *state;
    Raw slow = raw_connect(world->port, true);
    raw_text(&slow, "GET /v3/hold HTTP/1.1\r\nHost: x\r\n\r\n");
    world_wait_held(world, 1);
    g_autoptr(GThread) stopping = g_thread_ref(
        g_thread_new("stop", (GThreadFunc)(void (*)(void))http_server_stop, world->server));
    bool closed;
    gint64 started = g_get_monotonic_time();
    g_autofree char *nothing = raw_read(&slow, 5, &closed); /* drain_seconds are 2 */
    assert_string_equal(nothing, "");
    assert_in_range(g_get_monotonic_time() - started, 1500000, 4000000);
    world_release(world);
    g_thread_join(stopping);
    raw_close(&slow);
}

static void new_certificates_serve_new_connections(void **state)
{
    World *world = *state;
    g_autoptr(HttpClient) client = world_client(world, false);
    g_autofree char *url = world_url(world, "/version");
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpAnswer) before = http_client_send(client, "GET", url, NULL, BYTES_EMPTY, &error);
    assert_non_null(before);
    g_autoptr(TestIdentity) next = test_identity_new(
        &(TestProfile){.common_name = "next", .names = "IP:127.0.0.1"}, world->other_authority);
    SSL_CTX *tls = test_server_context(next, world->authority);
    http_server_replace_tls(world->server, tls);
    SSL_CTX_free(tls);
    /* The standing connection goes on; a new one sees the new certificate, which is not trusted. */
    g_autoptr(HttpAnswer) same = http_client_send(client, "GET", url, NULL, BYTES_EMPTY, &error);
    assert_non_null(same);
    g_autoptr(HttpClient) fresh = world_client(world, false);
    assert_null(http_client_send(fresh, "GET", url, NULL, BYTES_EMPTY, &error));
    assert_true(g_error_matches(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CERTIFICATE));
}

/* One request on a connection that presents the admin's certificate and may resume `session`. */
static char *ask_resuming(World *world, SSL_CTX *context, SSL_SESSION **session, bool *reused)
{
    Raw raw = raw_connect(world->port, false);
    raw.ssl = SSL_new(context);
    SSL_set_fd(raw.ssl, raw.fd);
    if (*session)
        SSL_set_session(raw.ssl, *session);
    assert_int_equal(SSL_connect(raw.ssl), 1);
    raw_text(&raw, "GET /v2/agents HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    bool closed;
    char *answer = raw_read(&raw, 4, &closed);
    assert_true(closed);
    *reused = SSL_session_reused(raw.ssl);
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(raw.ssl);
    SSL_shutdown(raw.ssl); /* otherwise OpenSSL drops the session */
    raw_close(&raw);
    return answer;
}

static void a_resumed_session_keeps_its_identity(void **state)
{
    World *world = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_max_proto_version(context, versions[i]);
        SSL_CTX_use_certificate(context, world->admin->certificate);
        SSL_CTX_use_PrivateKey(context, world->admin->key);
        SSL_SESSION *session = NULL;
        for (unsigned round = 0; round < 2; round++) {
            bool reused;
            g_autofree char *answer = ask_resuming(world, context, &session, &reused);
            if (reused != (round == 1))
                fail_msg("version %x, round %u: %s", (unsigned)versions[i], round, answer);
            assert_non_null(strstr(answer, "\"name\":\"operator\""));
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(context);
    }
}

/* Contract C111. */
static void a_peer_that_distrusts_us_is_logged_once(void **state)
{
    World *world = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
    HttpClientSettings settings = {
        .ca_file = world->other_ca_file, .verify_peer = true, .timeout_ms = 3000, .wake_fd = -1};
    g_autofree char *url = world_url(world, "/version");
    for (unsigned i = 0; i < 3; i++) {
        g_autoptr(HttpClient) client = http_client_new(&settings, NULL);
        assert_null(http_client_send(client, "GET", url, NULL, BYTES_EMPTY, NULL));
    }
    http_server_stop(world->server);
    log_open(2, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    close(ends[1]);
    char text[4096] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_int_equal(
        count(text, "WARNING - peer 127.0.0.1 rejected our certificate (unknown ca)\n"), 1);
}

static GMutex hang;

static void wait_for_the_test(const SSL *ssl, int where, int value)
{
    g_mutex_lock(&hang);
    g_mutex_unlock(&hang);
}

static bool turns_within(HttpServer *server, bool expected)
{
    for (unsigned i = 0; i < 200; i++) {
        g_usleep(10 * 1000);
        if (http_server_turns(server) == expected)
            return true;
    }
    return false;
}

static void a_hanging_thread_is_noticed(void **state)
{
    World *world = *state;
    assert_true(http_server_turns(world->server));
    assert_true(turns_within(world->server, true));
    SSL_CTX_set_info_callback(world->tls, wait_for_the_test);
    g_mutex_lock(&hang);
    Raw raw = raw_connect(world->port, false);
    raw_text(&raw, "\x16"); /* the handshake begins, and waits */
    assert_true(turns_within(world->server, false));
    assert_false(http_server_turns(world->server));
    g_mutex_unlock(&hang);
    assert_true(turns_within(world->server, true));
    raw_close(&raw);
}

static void one_port_is_for_one_server(void **state)
{
    World *world = *state;
    HttpServerSettings settings = {
        .routes = (Route[]){{0}}, .io_threads = 1, .workers = 1, .queue_limit = 1};
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpServer) second = http_server_new(&settings, &error);
    assert_non_null(second);
    assert_false(http_server_listen(second, "127.0.0.1", world->port, NULL, NULL, &error));
    assert_non_null(strstr(error->message, "Address already in use"));
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (!g_getenv("HTTP_TEST_LOG"))
        log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        WORLD_TEST(access_follows_the_matrix),
        WORLD_TEST(a_refused_token_names_the_scheme),
        WORLD_TEST(the_request_id_is_echoed_in_word_characters),
        WORLD_TEST(the_plain_port_serves_public_routes_only),
        WORLD_TEST(a_trusted_proxy_names_the_client),
        WORLD_TEST(errors_come_in_the_form_of_the_version),
        WORLD_TEST(a_wrong_method_is_told_the_right_ones),
        WORLD_TEST(malformed_requests_are_told_what_is_wrong),
        WORLD_TEST(chunked_and_announced_bodies_arrive),
        WORLD_TEST(many_small_values_are_refused),
        WORLD_TEST(a_large_body_is_refused_in_words),
        WORLD_TEST(a_flood_of_headers_is_refused),
        WORLD_TEST(a_slow_request_is_cut_off),
        WORLD_TEST(requests_follow_each_other_on_a_connection),
        WORLD_TEST(a_half_closed_connection_gets_its_answer),
        WORLD_TEST(a_large_answer_arrives_whole),
        WORLD_TEST(a_full_queue_is_answered_503),
        WORLD_TEST(heavy_requests_leave_workers_to_others),
        WORLD_TEST(a_client_may_leave_while_its_request_is_in_work),
        WORLD_TEST(stopping_lets_requests_end),
        WORLD_TEST(stopping_does_not_wait_for_ever),
        WORLD_TEST(new_certificates_serve_new_connections),
        WORLD_TEST(a_resumed_session_keeps_its_identity),
        WORLD_TEST(a_peer_that_distrusts_us_is_logged_once),
        WORLD_TEST(a_hanging_thread_is_noticed),
        WORLD_TEST(one_port_is_for_one_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
