/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a TPM2_Certify of the AK by itself answer the challenge? (verifier-push-api §4.3, decision
 * D6)
 */
#pragma once

#include "verifier/agent_record.h"
#include "verifier/attestation/reference.h"

/*
 * `message` and `signature` are base64 texts as received. NULL: possession of the enrolled AK is
 * proven. Else why not, static.
 *
 * Every sound algorithm of the AK counts, SHA-1 only if the enrolled accept_tpm_hash_algs names it.
 * Whether the operator accepts the AK's algorithms for evidence is the negotiation's question: its
 * 422 can tell the agent which list to change (contract C116b), the 401 of a session cannot.
 */
const char *session_proof_check(const AgentRecord *record, References *references,
                                const char *message, const char *signature, Bytes challenge);
