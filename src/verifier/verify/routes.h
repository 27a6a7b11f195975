/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verification endpoints, which give a verdict and change nothing (tenant-and-management-api
 * §8; decisions D73, D107), under both versions of the API. `context` is the Verifier.
 */
#pragma once

#include "http/route.h"

/* GET /verify/identity?agent_uuid=&quote=&nonce=&hash_alg=: does the enrolled AK of this agent sign
 * this quote over this nonce? Neither clock nor PCR values are judged. */
void verify_identity(const HttpRequest *request, HttpResponse *response, gpointer context);

/* POST /verify/evidence: evidence and what to judge it by in one request, without an enrolment. v2:
 * {"type": "tpm", "data": {...}}; v3: a resource of type "verification" with the attributes
 * evidence_type and evidence. */
void verify_evidence(const HttpRequest *request, HttpResponse *response, gpointer context);
