/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record means, in words: the lines below `cvstatus` with the status, the evidence of the
 * latest attestation, and why an agent fails.
 */
#pragma once

#include "tenant/server.h"

/* Logs one line for `attestation_status`; after FAIL also the failures of the attestation that
 * failed last, each with its facts, as far as the verifier tells them (an upstream verifier does
 * not). Never an error. */
void explain_status(Server *verifier, const char *agent_id, Json *record);
