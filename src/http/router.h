/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From method and path to the route that serves them (verifier-push-api §2.2, registrar-api §3.2).
 */
#pragma once

#include "http/route.h"

typedef struct Router Router;

/* Borrows `routes`. */
Router *router_new(const Route *routes);
void router_free(Router *router);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Router, router_free)

typedef enum {
    ROUTER_FOUND,
    ROUTER_BAD_PATH,  /* no absolute path of RFC 3986: 400 */
    ROUTER_NO_PATH,   /* 404 */
    ROUTER_NO_METHOD, /* the path exists for other methods: 405 */
} RouterOutcome;

/*
 * Find the route for the request's path, whose version is already split off. `routable` false: a
 * method that no route can have (HEAD and others). Sets the parameters of the request.
 * `*allow` is the value of the Allow header on ROUTER_NO_METHOD (newly allocated), else NULL.
 */
RouterOutcome router_match(const Router *router, HttpRequest *request, bool routable,
                           const Route **route, char **allow);
/* "GET", ... */
const char *http_method_name(HttpMethod method);
