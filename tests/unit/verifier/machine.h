/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine to attest: a software TPM, its enrolment in a fresh verifier database on the engine
 * that the program's argument names, and evidence for its attestations.
 */
#pragma once

#include "../store/fixture.h"
#include "agent/software_tpm.h"
#include "verifier/appraisal/pool.h"

#define AGENT "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"
#define SECOND TIMESTAMP_SECOND

typedef struct {
    Fixture *fixture;
    Verifier verifier;
    References *references;
    SoftwareTpm *tpm;
} Machine;

int machine_setup(void **state);
int machine_teardown(void **state);

/* ECC P-256 with an AK; fails the test when it cannot be made. */
SoftwareTpm *machine_tpm(void);

void machine_enrol(Machine *machine, const char *agent_id, const char *tpm_policy, Timestamp now);
AgentRecord *machine_agent(Machine *machine, const char *agent_id);
AttestationRecord *machine_attestation(Machine *machine, const char *agent_id, gint64 index);
/* Number of attestations of the agent. */
guint machine_count(Machine *machine, const char *agent_id);

/* Runs one statement without parameters in a transaction. */
void machine_run(Machine *machine, const char *sql);
/* One number. */
gint64 machine_number(Machine *machine, const char *sql);

/* An attestation whose evidence over `pcrs` is stored: an honest quote, but `spoil` alters it.
 * *lease and *starts as they stand in the row. */
typedef struct {
    gint64 index;
    uint32_t pcrs;
    bool spoil;
    Timestamp received;
    gint64 starts;
    Timestamp lease;
} StoredEvidence;
void machine_store_evidence(Machine *machine, const char *agent_id, const StoredEvidence *evidence);

/* The job of such a row, as the process that stored it would make it. */
AppraisalJob *machine_job(Machine *machine, const char *agent_id, gint64 index);
