/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof of possession of the AK for a bearer token (verifier-push-api §4, push-agent §8).
 */
#pragma once

#include "agent/attester.h"
#include "agent/peer.h"
#include "agent/protocol.h"

/* The token, newly allocated (secret_free_text), or NULL: PROTOCOL_ERROR_REFUSED or _NOT_ENROLLED,
 * PEER_ERROR, MESSAGE_ERROR or TPM_DEVICE_ERROR. */
char *session_authenticate(Peer *verifier, const Url *url, Attester *attester, const char *agent_id,
                           GError **error);
