/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running agent: everything that lives from start to stop, and the loop that moves it through
 * its states (push-agent §10, contract C104).
 */
#pragma once

#include "agent/attestation.h"
#include "agent/state.h"
#include "agent/status_report.h"

typedef struct {
    const AgentSettings *settings;
    Waiter *waiter;
    Peer verifier, registrar;
    MeasurementList *ima_log;
    FirmwareLog uefi_log;
    char *machine_uuid; /* agent_id_machine_uuid() */
    Attester attester;
    char *id;
    Attestation attestation;
    StatusReport report;

    GError *failure;  /* of the last piece of work */
    gint64 directive; /* of the last acceptance, seconds; -1 = none */
    gint64 last_pace; /* seconds waited after the last success; 0 = no success yet */
    unsigned failures_in_row, unauthorised_in_row, not_enrolled_in_row, forbidden_rounds;
    gint64 last_registration; /* monotonic µs */
    gint64 tpm_lost_since;    /* monotonic µs; 0 = the TPM works */
    bool warned_of_interval;
} Agent;

/* Open the kernel's and the firmware's log, and read the machine's UUID: while the process may. */
void agent_open_files(Agent *agent);
/* Open TPM and identity; `settings` and `waiter` are borrowed. peer_open() of both peers comes
 * before, while the process may read the CA files. */
bool agent_open(Agent *agent, GError **error);
void agent_close(Agent *agent);

/* Until SIGTERM or SIGINT (0) or a failure that waiting cannot mend (1): the exit status. */
int agent_run(Agent *agent);
