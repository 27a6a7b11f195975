/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation routes below /agents/:agent_id/attestations (verifier-push-api §5). Each has the
 * type RouteHandler; `context` is the Verifier.
 */
#pragma once

#include "verifier/verifier.h"

/* Bytes of a body of capabilities, which are stored with each attestation: those of a TPM with all
 * banks and five keys have 10 KiB. */
#define CAPABILITIES_BODY_MAX ((size_t)256 * 1024)

/* POST .../attestations: capabilities in, challenge out (§5.2-§5.4). ACCESS_AGENT, BODY_JSON_API.
 */
void attestation_create(const HttpRequest *request, HttpResponse *response, gpointer context);
/* PATCH .../attestations/:index: evidence in, 202 out (§5.5-§5.7). ACCESS_AGENT, BODY_JSON_API. */
void attestation_submit(const HttpRequest *request, HttpResponse *response, gpointer context);
/* PATCH .../attestations/latest: the same for the newest attestation. */
void attestation_submit_latest(const HttpRequest *request, HttpResponse *response,
                               gpointer context);

/* GET .../attestations, .../latest, .../:index (§5.8, decision D70). ACCESS_ADMIN. */
void attestation_list(const HttpRequest *request, HttpResponse *response, gpointer context);
void attestation_show_latest(const HttpRequest *request, HttpResponse *response, gpointer context);
void attestation_show(const HttpRequest *request, HttpResponse *response, gpointer context);
