/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v3.0/sessions and PATCH /v3.0/sessions/{session_id}: an agent proves that it holds the
 * enrolled AK and gets a token (verifier-push-api §4). Bodies are read and written in this room
 * only. `context` is the Verifier.
 */
#pragma once

#include "http/message.h"

/* Bytes of a body: anyone may send one. The largest proof, of an RSA-4096 key, has 3 KiB. */
#define SESSION_BODY_MAX ((size_t)64 * 1024)

void session_create(const HttpRequest *request, HttpResponse *response, gpointer context);
void session_prove(const HttpRequest *request, HttpResponse *response, gpointer context);
