/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message_parts.h"
#include "http/router.h"

#include <string.h>

/* After the headers it relies on. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void handler(const HttpRequest *request, HttpResponse *response, gpointer context)
{
}

static const Route routes[] = {
    {HTTP_GET, "/", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "root", handler},
    {HTTP_GET, "/", ROUTE_V2 | ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "info", handler},
    {HTTP_GET, "/version", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "version", handler},
    {HTTP_GET, "/agents", ROUTE_V2 | ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "list", handler},
    {HTTP_GET, "/agents/:agent_id", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "read", handler},
    {HTTP_DELETE, "/agents/:agent_id", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "delete", handler},
    {HTTP_GET, "/agents/:agent_id/attestations/latest", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "latest",
     handler},
    {HTTP_GET, "/agents/:agent_id/attestations/:index", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "index",
     handler},
    {0},
};

/* "200 <action>", or the outcome's status. */
static char *outcome(HttpMethod method, bool routable, const char *path)
{
    g_autoptr(Router) router = router_new(routes);
    g_autoptr(HttpRequest) request = http_request_new(method, path, BYTES_EMPTY);
    const Route *route;
    g_autofree char *allow = NULL;
    switch (router_match(router, request, routable, &route, &allow)) {
    case ROUTER_FOUND:
        assert_non_null(route);
        assert_null(allow);
        return g_strdup_printf("200 %s %s %s", route->action, request->version,
                               http_request_parameter(request, "agent_id"));
    case ROUTER_BAD_PATH:
        return g_strdup("400");
    case ROUTER_NO_PATH:
        return g_strdup("404");
    case ROUTER_NO_METHOD:
        return g_strdup_printf("405 %s", allow);
    }
    return NULL;
}

static void routes_are_found_as_upstream_finds_them(void **state)
{
    static const struct {
        const char *path, *expected;
    } cases[] = {
        {"/", "200 root  "},
        {"/version", "200 version  "},
        {"/version/", "200 version  "},
        {"/version?x=1", "200 version  "},
        {"/v2/", "200 info /v2 "},
        {"/v2", "200 info /v2 "},
        {"/v3.0/", "200 info /v3.0 "},
        {"/v2.6/agents/", "200 list /v2.6 "},
        {"/v2.0/agents", "200 list /v2.0 "},
        {"/v3/agents", "200 list /v3 "},
        {"/v2.6/agents/a%20b", "200 read /v2.6 a%20b"},
        {"/v2.6/agents/..", "200 read /v2.6 .."},
        {"/v3/agents/a/attestations/latest", "200 latest /v3 a"},
        {"/v3/agents/a/attestations/7", "200 index /v3 a"},
        {"/v2.7/agents", "404"},
        {"/v2.06/agents", "404"},
        {"/v2./agents", "404"},
        {"/v1/agents", "404"},
        {"/v1.0/agents", "404"},
        {"/v3.1/agents", "404"},
        {"/V3.0/agents", "404"},
        {"/v3.0x/agents", "404"},
        {"/agents", "404"},
        {"/v2.6/Agents", "404"},
        {"/v2.6/agents//", "404"},
        {"/v2.6//agents", "404"},
        {"/v3/version", "404"},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "404"},
        {"//", "400"},
        {"//v2.6/agents", "400"},
        {"/v2.6/agents/a|b", "400"},
        {"/v2.6/agents/%zz", "400"},
        {"/v2.6/agents/%4", "400"},
        {"v2.6/agents", "400"},
        {"*", "400"},
        {"", "400"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *got = outcome(HTTP_GET, true, cases[i].path);
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s instead of %s", cases[i].path, got, cases[i].expected);
    }
}

static void other_methods_are_told_the_right_ones(void **state)
{
    g_autofree char *put = outcome(HTTP_PUT, true, "/v2.6/agents/a");
    assert_string_equal(put, "405 GET, DELETE");
    g_autofree char *head = outcome(HTTP_GET, false, "/v2.6/agents");
    assert_string_equal(head, "405 GET");
    g_autofree char *nowhere = outcome(HTTP_GET, false, "/nowhere");
    assert_string_equal(nowhere, "404");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_found_as_upstream_finds_them),
        cmocka_unit_test(other_methods_are_told_the_right_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
