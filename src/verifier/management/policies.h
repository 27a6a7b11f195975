/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named policies: runtime policies under /allowlists and /policies/ima, measured boot policies
 * under /mbpolicies and /refstates/uefi (tenant-and-management-api §6, §7, §9; decisions D45, D46,
 * D61, D73, D74). The path says which kind is meant, and its version how it is answered. `context`
 * is the Verifier.
 */
#pragma once

#include "http/route.h"

/* The names. */
void policies_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_show(const HttpRequest *request, HttpResponse *response, gpointer context);
/* v2: the name is in the path; v3: it is the resource's id, or the attribute name. */
void policies_create(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_replace(const HttpRequest *request, HttpResponse *response, gpointer context);
void policies_delete(const HttpRequest *request, HttpResponse *response, gpointer context);
