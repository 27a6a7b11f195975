/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v3.0/sessions and PATCH /v3.0/sessions/{session_id}: an agent proves that it holds the
 * enrolled AK and gets a token (verifier-push-api §4). Bodies are read and written in this room
 * only. `context` is the Verifier.
 */
#pragma once

#include "http/message.h"

void session_create(const HttpRequest *request, HttpResponse *response, gpointer context);
void session_prove(const HttpRequest *request, HttpResponse *response, gpointer context);
