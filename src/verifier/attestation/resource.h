/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation as clients see it: the `data` of the 201, the 202 and the GET answers
 * (verifier-push-api §5.4, §5.7, §5.8; decisions D70, D78).
 */
#pragma once

#include "http/envelope.h"
#include "verifier/attestation/record.h"

/* "<prefix>/agents/<id>/attestations/<index>"; newly allocated. */
char *attestation_path(const char *version_prefix, const char *agent_id, gint64 index);

/* Each: the resource object, new reference; `version_prefix` as the client spelled it. */

/* 201: what to prove. */
Json *attestation_created_resource(const AttestationRecord *record, const Negotiated *negotiated,
                                   const char *version_prefix);
/* 202: stage and times; `evidence` is empty, an echo would only cost the agent time (D78). */
Json *attestation_received_resource(const AttestationRecord *record, const char *version_prefix);
/* GET: everything; `logs` (of LOG_KINDS, or NULL) are the logs that are kept. */
Json *attestation_resource(const AttestationRecord *record, GBytes *const *logs,
                           const char *version_prefix);
