/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named policies: runtime policies under /allowlists and /policies/ima, measured boot policies
 * under /mbpolicies and /refstates/uefi (tenant-and-management-api §6, §7, §9; decisions D45, D46,
 * D61, D73, D74). The path says which kind is meant.
 */
#pragma once

#include "http/route.h"

void policies_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v2_show(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v2_create(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v2_replace(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v2_delete(const HttpRequest *request, HttpResponse *response, gpointer context);

void policies_v3_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v3_show(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v3_create(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v3_update(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_v3_delete(const HttpRequest *request, HttpResponse *response, gpointer context);
