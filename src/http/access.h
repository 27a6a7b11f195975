/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may call a route (verifier-push-api §3.3). Pure.
 */
#pragma once

#include "http/route.h"

/* NULL = allowed; otherwise the detail of the 403, newly allocated. `open`: see http/server.h. */
char *access_refusal(const Route *route, bool open, const HttpRequest *request);
