/* SPDX-License-Identifier: Apache-2.0 */
#include "http/access.h"

#include <string.h>

static char *refuse_admin(const char *action, const Identity *identity, const char *rule)
{
    /* Upstream's sentence first: scripts search for it. The reason follows (decision D38). */
    if (identity->not_admin)
        return g_strdup_printf("Action %s requires %s: %s", action, rule, identity->not_admin);
    return g_strdup_printf("Action %s requires %s", action, rule);
}

/* NULL = the token belongs to the agent of the path. */
static char *refuse_other_agent(const HttpRequest *request, const Identity *identity)
{
    const char *owner = http_request_parameter(request, "agent_id");
    if (strcmp(identity->name, owner) == 0)
        return NULL;
    return g_strdup_printf("Agent %s cannot access resource %s (ownership required)",
                           identity->name, owner);
}

char *access_refusal(const Route *route, bool open, const HttpRequest *request)
{
    const Identity *identity = http_request_identity(request);
    switch (route->access) {
    case ACCESS_PUBLIC:
        return NULL;
    case ACCESS_OPEN:
        if (open)
            return NULL;
        G_GNUC_FALLTHROUGH;
    case ACCESS_ADMIN:
        if (identity->kind == IDENTITY_ADMIN)
            return NULL;
        return refuse_admin(route->action, identity, "admin authentication (mTLS certificate)");
    case ACCESS_AGENT:
        if (identity->kind == IDENTITY_AGENT)
            return refuse_other_agent(request, identity);
        return g_strdup_printf("Action %s requires agent authentication (PoP token)",
                               route->action);
    case ACCESS_AGENT_OR_ADMIN:
        if (identity->kind == IDENTITY_ADMIN)
            return NULL;
        if (identity->kind == IDENTITY_AGENT)
            return refuse_other_agent(request, identity);
        return refuse_admin(route->action, identity, "authentication");
    }
    /* A value that is none of the five opens nothing. */
    return g_strdup("Access denied");
}
