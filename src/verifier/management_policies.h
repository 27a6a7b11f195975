/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of named policies: this version of the verifier takes none, so they are empty, which is
 * what `keylime_tenant -c listruntimepolicy` and `-c listmbpolicy` want to hear.
 */
#pragma once

#include "http/message.h"

/* GET /v2.x/allowlists, /mbpolicies (tenant-and-management-api §6.1, §7). */
void runtime_policies_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void mb_policies_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context);
/* GET /v3.0/policies/ima, /refstates/uefi. */
void policies_v3_list(const HttpRequest *request, HttpResponse *response, gpointer context);
