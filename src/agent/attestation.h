/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attestation: capabilities out, request in, evidence out, acceptance in (verifier-push-api §5,
 * push-agent §9). Holds the token between cycles.
 */
#pragma once

#include "agent/firmware_log.h"
#include "agent/measurement_list.h"
#include "agent/message_attestation.h"
#include "agent/session.h"

typedef struct {
    Peer *verifier;
    Attester *attester;
    MeasurementList *ima_log;
    const FirmwareLog *uefi_log;
    const AgentSettings *settings;
    const char *agent_id;
    char *boot_time;
    char *token;    /* NULL: authenticate first */
    char *location; /* where the evidence goes; NULL outside an attestation */
    EvidenceRequest request;
} Attestation;

void attestation_clear(Attestation *attestation);
/* Authenticate where needed, offer, and take the verifier's request. False: as
 * session_authenticate(), and PROTOCOL_ERROR of the answer. */
bool attestation_negotiate(Attestation *attestation, GError **error);
/* Quote, read the logs that are asked for, and send. *directive = seconds that the verifier gives
 * until the next one, -1 = none. */
bool attestation_submit(Attestation *attestation, gint64 *directive, GError **error);
