/* SPDX-License-Identifier: Apache-2.0 */
/* Path and version matching: whatever the path, a found route's parameters are segments of it. */
#include "http/message_parts.h"
#include "http/router.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handler(const HttpRequest *request, HttpResponse *response, gpointer context)
{
}

static const Route routes[] = {
    {HTTP_GET, "/", ROUTE_UNVERSIONED | ROUTE_V2 | ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "root",
     handler},
    {HTTP_GET, "/agents/:agent_id", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "read", handler},
    {HTTP_PUT, "/agents/:agent_id/stop", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "stop", handler},
    {HTTP_GET, "/agents/:agent_id/attestations/latest", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "latest",
     handler},
    {HTTP_GET, "/agents/:agent_id/attestations/:index", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "index",
     handler},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Router *router;
    if (!router)
        router = router_new(routes);
    g_autofree char *path = size ? g_strndup((const char *)data, size) : g_strdup("");
    g_autoptr(HttpRequest) request = http_request_new(HTTP_GET, path, BYTES_EMPTY);
    const Route *route;
    g_autofree char *allow = NULL;
    RouterOutcome outcome = router_match(router, request, size % 2 == 0, &route, &allow);
    g_assert((outcome == ROUTER_FOUND) == (route != NULL));
    g_assert((outcome == ROUTER_NO_METHOD) == (allow != NULL));
    for (unsigned i = 0; i < request->parameter_count; i++) {
        const char *value = request->parameters[i].value;
        g_assert(*value && !strchr(value, '/') && strstr(request->path, value));
    }
    return 0;
}
