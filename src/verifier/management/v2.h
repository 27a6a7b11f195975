/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agents of API version 2 (tenant-and-management-api §4), in the code/status/results envelope.
 * `context` is the Verifier.
 */
#pragma once

#include "http/message.h"

/* GET /agents: ids, or with ?bulk= all records; ?verifier= filters. */
void agents_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_v2_show(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_v2_enrol(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_v2_delete(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_v2_reactivate(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_v2_stop(const HttpRequest *request, HttpResponse *response, gpointer context);
