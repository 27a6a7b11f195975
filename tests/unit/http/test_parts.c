/* SPDX-License-Identifier: Apache-2.0 */
/* The rooms that need no socket: heads, chunks, bodies, access, certificates, addresses, envelopes.
 */
#include "http/access.h"
#include "http/admin.h"
#include "http/chunked.h"
#include "http/envelope.h"
#include "http/message_parts.h"
#include "http/peer.h"
#include "http/request_body.h"
#include "http/request_head.h"
#include "test_certificates.h"

#include <string.h>

/* After the headers it relies on. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* --- heads ----------------------------------------------------------------------------------- */

static void a_head_is_the_same_however_it_is_cut(void **state)
{
    static const char text[] =
        "\r\nPATCH http://h:1/v3.0/agents/a/attestations/7?x=%31&y HTTP/1.1\r\n"
        "host: h\r\nContent-LENGTH:  12 \t\r\nEmpty:\r\nConnection: a, CLOSE\r\n"
        "Expect: 100-Continue\r\n\r\nGET next";
    size_t whole = strlen(text) - strlen("GET next");
    for (size_t step = 1; step <= sizeof text - 1; step++) {
        g_autoptr(HttpRequest) request = http_request_empty();
        RequestHead head;
        HeadError error = {0};
        size_t scanned = 0, size = 0;
        HeadOutcome outcome = HEAD_INCOMPLETE;
        for (size_t given = MIN(step, sizeof text - 1); outcome == HEAD_INCOMPLETE;
             given = MIN(given + step, sizeof text - 1))
            outcome =
                request_head_parse(bytes_of(text, given), &scanned, &head, &size, request, &error);
        if (outcome != HEAD_COMPLETE)
            fail_msg("step %zu: %s", step, error.detail);
        assert_int_equal(size, whole);
        assert_int_equal(request->method, HTTP_PATCH);
        assert_string_equal(request->path, "/v3.0/agents/a/attestations/7");
        assert_string_equal(request->version, "/v3.0");
        assert_string_equal(http_request_query(request, "x"), "1");
        assert_string_equal(http_request_query(request, "y"), "");
        assert_null(http_request_query(request, "z"));
        assert_string_equal(http_request_header(request, "content-length"), "12");
        assert_string_equal(http_request_header(request, "EMPTY"), "");
        assert_int_equal(head.body_size, 12);
        assert_true(head.close && head.expect && head.known && head.routable);
        assert_false(head.chunked || head.is_head);
    }
}

static void a_length_beyond_all_numbers_is_large(void **state)
{
    static const char text[] =
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    g_autoptr(HttpRequest) request = http_request_empty();
    RequestHead head;
    HeadError error;
    size_t scanned = 0, size;
    assert_int_equal(
        request_head_parse(bytes_of_text(text), &scanned, &head, &size, request, &error),
        HEAD_COMPLETE);
    assert_true(head.body_size == G_MAXUINT64);
}

/* --- chunks ---------------------------------------------------------------------------------- */

static ChunkedOutcome decode(const char *text, size_t step, size_t limit, GByteArray *body,
                             size_t *left)
{
    ChunkedState chunked = {0};
    g_autoptr(GByteArray) input = g_byte_array_new();
    ChunkedOutcome outcome = CHUNKED_MORE;
    for (size_t given = 0; given < strlen(text) && outcome == CHUNKED_MORE; given += step) {
        size_t size = MIN(step, strlen(text) - given);
        bytes_append(input, bytes_of(text + given, size));
        Reader reader = reader_of(bytes_of_array(input));
        outcome = chunked_decode(&chunked, &reader, limit, body);
        g_byte_array_remove_range(input, 0, input->len - (guint)reader.rest.size);
    }
    *left = input->len;
    return outcome;
}

static void chunks_are_joined_however_they_are_cut(void **state)
{
    static const char text[] = "3\r\nabc\r\n0A;name=value\r\n0123456789\r\n000\r\nT: x\r\n\r\n";
    for (size_t step = 1; step <= strlen(text); step++) {
        g_autoptr(GByteArray) body = g_byte_array_new();
        size_t left;
        assert_int_equal(decode(text, step, 13, body, &left), CHUNKED_END);
        assert_int_equal(left, 0);
        assert_int_equal(body->len, 13);
        assert_memory_equal(body->data, "abc0123456789", 13);
    }
}

static void broken_chunks_are_refused(void **state)
{
    static const struct {
        const char *text;
        ChunkedOutcome outcome;
    } cases[] = {
        {"\r\n", CHUNKED_BAD},
        {"x\r\n", CHUNKED_BAD},
        {"3\nabc\r\n", CHUNKED_BAD},
        {"3\r\nabcd\r\n", CHUNKED_BAD},
        {"-1\r\n", CHUNKED_BAD},
        {"0x3\r\nabc\r\n", CHUNKED_BAD},
        {"3 \r\nabc\r\n", CHUNKED_BAD},
        {"ffffffffffffffffff\r\n", CHUNKED_BAD},
        {"fffffffffffffff\r\n", CHUNKED_TOO_LARGE},
        {"b\r\n", CHUNKED_TOO_LARGE},
        {"8\r\n01234567\r\n3\r\n", CHUNKED_TOO_LARGE},
        {"8\r\n0123", CHUNKED_MORE},
        {"0\r\nT: x\r\n", CHUNKED_MORE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) body = g_byte_array_new();
        size_t left;
        ChunkedOutcome outcome = decode(cases[i].text, 1, 10, body, &left);
        if (outcome != cases[i].outcome)
            fail_msg("'%s' gave %d", cases[i].text, (int)outcome);
        assert_in_range(body->len, 0, 10);
    }
    g_autofree char *endless = g_strnfill(1000, '0');
    g_autoptr(GByteArray) body = g_byte_array_new();
    size_t left;
    assert_int_equal(decode(endless, 100, 10, body, &left), CHUNKED_BAD);
}

/* --- bodies --------------------------------------------------------------------------------------
 */

static BodyOutcome feed(RequestBody *body, size_t size)
{
    g_autofree char *text = g_strnfill(size, 'x');
    Reader reader = reader_of(bytes_of(text, size));
    BodyOutcome outcome = request_body_take(body, &reader);
    if (outcome == BODY_MORE)
        assert_true(reader_at_end(&reader));
    return outcome;
}

static void large_bodies_share_a_budget_and_small_ones_always_pass(void **state)
{
    BodyBudget budget = {.limit = 300000};
    RequestBody first = {0}, second = {0}, small = {0};
    request_body_start(&first, false, 250000, 1000000, &budget);
    assert_int_equal(feed(&first, 10), BODY_MORE);
    assert_int_equal(budget.used, 0); /* announced is not yet sent */
    assert_int_equal(feed(&first, 249989), BODY_MORE);
    assert_in_range(budget.used, 249999, 250000);
    request_body_start(&second, false, 250000, 1000000, &budget);
    assert_int_equal(feed(&second, 200000), BODY_NO_MEMORY);
    request_body_start(&second, true, 0, 1000000, &budget);
    g_autofree char *chunk = g_strdup_printf("186a0\r\n%0100000d", 0);
    Reader reader = reader_of(bytes_of_text(chunk));
    assert_int_equal(request_body_take(&second, &reader), BODY_NO_MEMORY);
    request_body_start(&small, false, REQUEST_BODY_SMALL, 1000000, &budget);
    assert_int_equal(feed(&small, REQUEST_BODY_SMALL + 5), BODY_COMPLETE);
    assert_int_equal(feed(&first, 1), BODY_COMPLETE);
    size_t size;
    g_autofree uint8_t *data = request_body_steal(&first, &size);
    assert_int_equal(size, 250000);
    assert_int_equal(data[249999], 'x');
    assert_int_equal(budget.used, 250000); /* a handler has it */
    request_body_clear(&first);
    request_body_clear(&second);
    request_body_clear(&small);
    assert_int_equal(budget.used, 0);
}

/* --- access and certificates ----------------------------------------------------------------- */

static void only_the_right_identity_passes(void **state)
{
    enum { NOBODY, OWN, OTHER, ADMIN, IDENTITIES };
    static const bool allowed[][IDENTITIES] = {
        [ACCESS_PUBLIC] = {true, true, true, true},
        [ACCESS_ADMIN] = {false, false, false, true},
        [ACCESS_AGENT] = {false, true, false, false},
        [ACCESS_AGENT_OR_ADMIN] = {false, true, false, true},
        [ACCESS_OPEN] = {false, false, false, true},
    };
    static const IdentityKind kinds[] = {IDENTITY_ANONYMOUS, IDENTITY_AGENT, IDENTITY_AGENT,
                                         IDENTITY_ADMIN};
    /* An admin called like the agent is still no agent. */
    static const char *const names[] = {NULL, "a", "A", "a"};
    for (unsigned access = ACCESS_PUBLIC; access <= ACCESS_OPEN; access++) {
        for (unsigned who = 0; who < IDENTITIES; who++) {
            Route route = {.access = (RouteAccess)access, .action = "act"};
            g_autoptr(HttpRequest) request = http_request_new(HTTP_GET, "/x", BYTES_EMPTY);
            http_request_set_parameter(request, "agent_id", "a");
            http_request_set_identity(request, kinds[who], names[who]);
            g_autofree char *refusal = access_refusal(&route, false, request);
            if ((refusal == NULL) != allowed[access][who])
                fail_msg("access %u, identity %u: %s", access, who, refusal ? refusal : "passed");
        }
    }
}

static void an_open_server_opens_open_routes_only(void **state)
{
    g_autoptr(HttpRequest) request = http_request_new(HTTP_GET, "/x", BYTES_EMPTY);
    http_request_set_identity(request, IDENTITY_ANONYMOUS, NULL);
    for (unsigned access = ACCESS_PUBLIC; access <= ACCESS_OPEN; access++) {
        Route route = {.access = (RouteAccess)access, .action = "act"};
        g_autofree char *refusal = access_refusal(&route, true, request);
        assert_int_equal(refusal == NULL, access == ACCESS_PUBLIC || access == ACCESS_OPEN);
    }
}

static void a_refused_certificate_is_told_why(void **state)
{
    static const char *const listed[] = {"client", NULL};
    static const AdminRule open_rule = {listed, false}, strict_rule = {listed, true};
    static const struct {
        TestProfile profile;
        const AdminRule *rule;
        const char *reason; /* NULL = admin */
    } cases[] = {
        {{.common_name = "client"}, &open_rule, NULL},
        {{.common_name = "client", .usage = "clientAuth"}, &strict_rule, NULL},
        {{.common_name = "bob", .usage = "clientAuth"}, &open_rule, NULL},
        {{.common_name = "bob", .usage = "serverAuth,clientAuth"}, &open_rule, NULL},
        {{.common_name = "bob", .usage = "clientAuth"}, &strict_rule, "restrict_admin_names"},
        {{.common_name = "bob"}, &open_rule, "admin_certificate_names"},
        {{.common_name = "client", .usage = "serverAuth"}, &open_rule, "lacks clientAuth"},
        {{.common_name = NULL, .usage = "clientAuth"}, &open_rule, "no common name"},
        {{.common_name = "Client"}, &open_rule, "admin_certificate_names"},
    };
    g_autoptr(TestIdentity) server =
        test_identity_new(&(TestProfile){.common_name = "client", .usage = "clientAuth"}, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(TestIdentity) who = test_identity_new(&cases[i].profile, NULL);
        Identity identity = admin_identity(who->certificate, server->key, cases[i].rule);
        g_autofree char *name = identity.name;
        if (cases[i].reason) {
            assert_int_equal(identity.kind, IDENTITY_ANONYMOUS);
            assert_null(name);
            if (!identity.not_admin || !strstr(identity.not_admin, cases[i].reason))
                fail_msg("case %zu: %s", i, identity.not_admin);
        } else {
            assert_int_equal(identity.kind, IDENTITY_ADMIN);
            assert_string_equal(name, cases[i].profile.common_name);
            assert_null(identity.not_admin);
        }
    }
    Identity own = admin_identity(server->certificate, server->key, &open_rule);
    assert_int_equal(own.kind, IDENTITY_ANONYMOUS);
    assert_non_null(strstr(own.not_admin, "server's own"));
    Identity none = admin_identity(NULL, server->key, &open_rule);
    assert_int_equal(none.kind, IDENTITY_ANONYMOUS);
    assert_null(none.not_admin);
}

/* --- addresses ------------------------------------------------------------------------------- */

static void only_trusted_proxies_speak_for_others(void **state)
{
    static const char *const trusted[] = {"10.0.0.1", "fd00:0::1", NULL};
    static const struct {
        const char *peer, *forwarded, *expected;
    } cases[] = {
        {"192.0.2.1", "1.2.3.4", "192.0.2.1"},
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "1.2.3.4, fd00::1 , ::ffff:10.0.0.1", "1.2.3.4"},
        {"fd00::1", "2001:DB8:0::5", "2001:db8::5"},
        {"10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4, , 10.0.0.1", "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *client = peer_client_address(cases[i].peer, cases[i].forwarded, trusted);
        assert_string_equal(client, cases[i].expected);
    }
    g_autofree char *nobody_trusted = peer_client_address("10.0.0.1", "1.2.3.4", NULL);
    assert_string_equal(nobody_trusted, "10.0.0.1");
}

static void a_query_that_cannot_be_decoded_is_left_out(void **state)
{
    g_autoptr(HttpRequest) request = http_request_new(
        HTTP_GET, "/v2.6/agents/?a=%ff&b=%zz&c=%00&d=%c3%a9+x&%c0%af=e", BYTES_EMPTY);
    assert_null(http_request_query(request, "a"));
    assert_null(http_request_query(request, "b"));
    assert_null(http_request_query(request, "c"));
    assert_string_equal(http_request_query(request, "d"), "\xc3\xa9 x");
    assert_null(http_request_query(request, "\xc0\xaf"));
}

/* --- envelopes ------------------------------------------------------------------------------- */

static void envelopes_have_the_form_of_the_protocol(void **state)
{
    g_autoptr(HttpRequest) request =
        http_request_new(HTTP_GET, "/v3.0/agents/a/attestations?x=1", BYTES_EMPTY);
    g_autoptr(HttpResponse) response = http_response_new();

    envelope_v2(response, 200, NULL, NULL);
    assert_string_equal(http_response_body_get(response),
                        "{\"code\":200,\"status\":\"Success\",\"results\":{}}");
    assert_string_equal(http_response_header_get(response, "content-type"), "application/json");
    envelope_v2(response, 410, NULL, NULL);
    assert_string_equal(http_response_body_get(response),
                        "{\"code\":410,\"status\":\"Gone\",\"results\":{}}");

    Json *data = json_object_new_object();
    json_add_int(data, "n", 1);
    envelope_data(response, 201, data);
    assert_string_equal(http_response_body_get(response), "{\"data\":{\"n\":1}}");
    assert_int_equal(http_response_status_get(response), 201);

    envelope_gate_error(response, 401, "Authentication token expired");
    assert_string_equal(http_response_body_get(response),
                        "{\"errors\":[{\"status\":\"401\",\"title\":\"Unauthorized\",\"detail\":"
                        "\"Authentication token expired\"}]}");

    envelope_resource(response, request, 200, json_object_new_array(), NULL);
    assert_string_equal(http_response_body_get(response),
                        "{\"data\":[],\"links\":{\"self\":\"/v3.0/agents/a/attestations\"},"
                        "\"jsonapi\":{\"version\":\"1.1\"}}");
    assert_string_equal(http_response_header_get(response, "Content-Type"),
                        "application/vnd.api+json");

    g_autoptr(GPtrArray) errors = api_errors_new();
    api_errors_add(errors, 422, "invalid_resource_data", "/data/attributes/x", "bad %d", 1);
    envelope_errors(response, request, errors);
    assert_int_equal(http_response_status_get(response), 422);
    assert_string_equal(
        http_response_body_get(response),
        "{\"errors\":[{\"status\":\"422\",\"code\":\"invalid_resource_data\",\"detail\":\"bad 1\","
        "\"source\":{\"pointer\":\"/data/attributes/x\"}}],"
        "\"links\":{\"self\":\"/v3.0/agents/a/attestations\"},\"jsonapi\":{\"version\":\"1.1\"}}");
    api_errors_add(errors, 409, "conflict", NULL, "twice");
    envelope_errors(response, request, errors);
    assert_int_equal(http_response_status_get(response), 400);

    envelope_error(response, request, 429, "premature_attestation", "later");
    http_response_retry_after(response, 30);
    assert_string_equal(http_response_header_get(response, "Retry-After"), "30");
}

static void an_answer_is_one_buffer(void **state)
{
    g_autoptr(HttpResponse) response = http_response_new();
    http_response_status(response, 201);
    http_response_header(response, "Location", "/a");
    http_response_header(response, "location", "/b");
    http_response_body(response, "text/plain", g_strdup("body"));
    g_autoptr(GByteArray) whole = http_response_serialise(response, true, false);
    static const char expected[] = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\nLocation: /b\r\n"
                                   "Content-Type: text/plain\r\n\r\nbody";
    assert_int_equal(whole->len, strlen(expected));
    assert_memory_equal(whole->data, expected, whole->len);
    g_autoptr(GByteArray) bare = http_response_serialise(response, false, true);
    g_autofree char *text = g_strndup((const char *)bare->data, bare->len);
    assert_non_null(strstr(text, "Content-Length: 4\r\n"));
    assert_true(g_str_has_suffix(text, "Connection: close\r\n\r\n"));
}

static void an_answer_without_content_has_no_length(void **state)
{
    g_autoptr(HttpResponse) response = http_response_new();
    http_response_status(response, 204);
    g_autoptr(GByteArray) whole = http_response_serialise(response, true, false);
    static const char expected[] = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_int_equal(whole->len, strlen(expected));
    assert_memory_equal(whole->data, expected, whole->len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_the_same_however_it_is_cut),
        cmocka_unit_test(a_length_beyond_all_numbers_is_large),
        cmocka_unit_test(chunks_are_joined_however_they_are_cut),
        cmocka_unit_test(broken_chunks_are_refused),
        cmocka_unit_test(large_bodies_share_a_budget_and_small_ones_always_pass),
        cmocka_unit_test(only_the_right_identity_passes),
        cmocka_unit_test(an_open_server_opens_open_routes_only),
        cmocka_unit_test(a_refused_certificate_is_told_why),
        cmocka_unit_test(only_trusted_proxies_speak_for_others),
        cmocka_unit_test(a_query_that_cannot_be_decoded_is_left_out),
        cmocka_unit_test(envelopes_have_the_form_of_the_protocol),
        cmocka_unit_test(an_answer_is_one_buffer),
        cmocka_unit_test(an_answer_without_content_has_no_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
