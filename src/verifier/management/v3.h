/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agents of API version 3 as JSON:API resources of type "agent" whose attributes are the
 * members of version 2 (tenant-and-management-api §9, decisions D73, D101). `context` is the
 * Verifier.
 */
#pragma once

#include "http/message.h"

void agents_v3_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void agents_v3_show(const HttpRequest *request, HttpResponse *response, gpointer context);
/* The new agent's id is the resource's, or the attribute agent_id. 201 with Location. */
void agents_v3_enrol(const HttpRequest *request, HttpResponse *response, gpointer context);
/* Attributes that are not given stay; history and index go on. 200 with the record. */
void agents_v3_update(const HttpRequest *request, HttpResponse *response, gpointer context);
/* 204. */
void agents_v3_delete(const HttpRequest *request, HttpResponse *response, gpointer context);
