/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers of registrar/routes.c. Each is one function from request to response; `context` is
 * the Registrar.
 */
#pragma once

#include "http/message.h"

/* registration_handlers.c: what agents call (registrar-api §6, §10) */
void registration_register(const HttpRequest *request, HttpResponse *response, gpointer context);
void registration_prove(const HttpRequest *request, HttpResponse *response, gpointer context);

/* agent_handlers.c: what admins call, and the versions (§5, §9) */
void agents_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_show(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_delete(const HttpRequest *request, HttpResponse *response, gpointer context);
void versions_show(const HttpRequest *request, HttpResponse *response, gpointer context);
void root_probe(const HttpRequest *request, HttpResponse *response, gpointer context);

/* 503 with Retry-After when the database cannot be reached, else 500; what it said is logged. */
void database_trouble(HttpResponse *response, const GError *error);
