/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the route table that a server is built from as JSON, for the test that compares it with
 * the API's description. ROUTES is the table's name.
 */
#include "http/router.h"

#include <stdio.h>

extern const Route ROUTES[];

static Json *versions_of(const Route *route)
{
    static const struct {
        RouteVersions bit;
        const char *prefix;
    } versions[] = {{ROUTE_UNVERSIONED, ""}, {ROUTE_V2, "/v2.6"}, {ROUTE_V3, "/v3.0"}};
    Json *prefixes = json_object_new_array();
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        if (route->versions & versions[i].bit)
            json_object_array_add(prefixes, json_new_text(versions[i].prefix));
    return prefixes;
}

static Json *route_to_json(const Route *route)
{
    static const char *const access[] = {[ACCESS_PUBLIC] = "public",
                                         [ACCESS_ADMIN] = "admin",
                                         [ACCESS_AGENT] = "agent",
                                         [ACCESS_AGENT_OR_ADMIN] = "agent or admin",
                                         [ACCESS_OPEN] = "open"};
    static const char *const body[] = {
        [BODY_NONE] = NULL, [BODY_JSON] = "json", [BODY_JSON_API] = "json api"};
    Json *object = json_object_new_object();
    json_add_text(object, "method", http_method_name(route->method));
    json_add_text(object, "pattern", route->pattern);
    json_add(object, "prefixes", versions_of(route));
    json_add_text(object, "access", access[route->access]);
    json_add_text(object, "body", body[route->body]);
    json_add_bool(object, "ignores_token", route->ignore_token);
    return object;
}

int main(void)
{
    g_autoptr(Json) list = json_object_new_array();
    for (const Route *route = ROUTES; route->handler; route++)
        json_object_array_add(list, route_to_json(route));
    g_autofree char *text = json_to_text(list);
    return puts(text) < 0;
}
