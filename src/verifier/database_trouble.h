/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database that fails while a request is served becomes one log line and one answer: 503 with
 * Retry-After when it cannot be reached, else 500. What the database said stays in the log.
 */
#pragma once

#include "http/message.h"

/* In the form of sessions and gates. */
void database_trouble_gate(HttpResponse *response, const GError *error);
/* In the v2 envelope. */
void database_trouble_v2(HttpResponse *response, const GError *error);
/* As a JSON:API error. */
void database_trouble_api(HttpResponse *response, const HttpRequest *request, const GError *error);
