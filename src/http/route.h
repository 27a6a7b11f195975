/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's API as one array that reads like a table of contents.
 */
#pragma once

#include "http/message.h"

typedef enum {
    ROUTE_UNVERSIONED = 1,
    ROUTE_V2 = 2, /* /v2 and /v2.0 ... /v2.6 */
    ROUTE_V3 = 4, /* /v3 and /v3.0 */
} RouteVersions;

typedef enum {
    ACCESS_PUBLIC,
    ACCESS_ADMIN,
    ACCESS_AGENT,          /* token of the agent named by `:agent_id` */
    ACCESS_AGENT_OR_ADMIN, /* that token, or an admin */
    ACCESS_OPEN,           /* anyone; admins only where the server is not `open` */
} RouteAccess;

typedef enum {
    BODY_NONE,     /* a body is read and ignored */
    BODY_JSON,     /* a JSON object, any or no content type (decision D25, D75) */
    BODY_JSON_API, /* application/vnd.api+json or 415, then a JSON object */
} RouteBody;

typedef void (*RouteHandler)(const HttpRequest *request, HttpResponse *response, gpointer context);

typedef struct {
    HttpMethod method;
    const char *pattern; /* below the version prefix: "/agents/:agent_id" */
    RouteVersions versions;
    RouteAccess access;
    RouteBody body;
    const char *action; /* word of the 403 texts: "read_agent" */
    RouteHandler handler;
    bool ignore_token; /* sessions: an Authorization header is not looked at */
    bool heavy;        /* at most a quarter of the workers serve such requests (decision D107) */
    size_t max_body;   /* bytes, below the server's own limit; 0 = that one */
} Route;               /* a table ends with handler == NULL */
