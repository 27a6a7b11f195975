/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server says of itself: roots and versions (verifier-push-api §2.2, §2.9, decision D77).
 */
#pragma once

#include "http/message.h"

/* GET /: 307 to the newest version's root. */
void server_info_redirect(const HttpRequest *request, HttpResponse *response, gpointer context);
/* GET /version, /versions: 410, by which upstream's tenant knows a verifier in push mode. */
void server_info_version(const HttpRequest *request, HttpResponse *response, gpointer context);
/* GET /v3.0/: 200. */
void server_info_root_v3(const HttpRequest *request, HttpResponse *response, gpointer context);
/* GET /v2.x/: 405, as servers of that version always answered. */
void server_info_root_v2(const HttpRequest *request, HttpResponse *response, gpointer context);
