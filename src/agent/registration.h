/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registration: version, keys, credential activation (registrar-api §6, §10, §11; push-agent §7).
 */
#pragma once

#include "agent/attester.h"
#include "agent/peer.h"
#include "agent/protocol.h"

/* False: PROTOCOL_ERROR, PEER_ERROR, MESSAGE_ERROR, TPM_DEVICE_ERROR or TPM_ERROR. */
bool registration_run(Peer *registrar, Attester *attester, const AgentSettings *settings,
                      const char *agent_id, GError **error);
