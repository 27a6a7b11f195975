/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An enrolled agent as the database holds it (tables `agents` and `enrolments`), and the words that
 * operators see of it (tenant-and-management-api §5).
 */
#pragma once

#include "evidence/appraisal.h"
#include "verifier/verifier.h"

/* operational_state (tenant-and-management-api §5.2): the two that push agents have. */
#define AGENT_STATE_ACTIVE 3
#define AGENT_STATE_STOPPED 10

/* A policy that an agent names: what must be known of it at every step, without its text. */
typedef struct {
    char *name; /* NULL = none */
    char *checksum;
    bool wants_log; /* the agent must send the log that it judges */
} PolicyUse;

typedef struct {
    char *agent_id, *verifier_id, *verifier_ip;
    gint64 verifier_port;
    GBytes *ak_tpm, *ak_name;
    char *tpm_policy, *meta_data;
    char *accept_hashes, *accept_encryption, *accept_signing; /* JSON arrays */
    char *ima_keys, *mtls_cert, *supported_version;
    char *revocation_key; /* PEM, a secret; never loaded: "" = none, NULL = as it is stored */
    Timestamp created_at;
    gint64 operational_state;
    bool accept_attestations;
    gint64 attestation_count, consecutive_failures;
    char *last_event_id;
    gint64 next_index;
    Timestamp last_received_quote, last_successful_attestation;
    bool shown_pending;
    Timestamp deadline; /* 0 = disarmed */
    bool told_to_wait;
    Timestamp unanswered_since;
    gint64 unanswered_count;
    gint64 next_clean_up; /* index of the attestation with which old ones are deleted */
    AppraisalState appraisal;
    PolicyUse runtime, boot;
    gint64 severity_level; /* of the last failure; -1 = none */
} AgentRecord;

void agent_record_free(AgentRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AgentRecord, agent_record_free)

/* *out NULL = not enrolled. False only on a database error. */
bool agent_record_load(Connection *connection, const char *agent_id, AgentRecord **out,
                       GError **error);
/* All records of `verifier_id` (NULL or empty: of everyone) in the order of their ids; *out is an
 * array of AgentRecord that frees them. */
bool agent_record_load_all(Connection *connection, const char *verifier_id, GPtrArray **out,
                           GError **error);
/* False with STORE_ERROR_CONFLICT when the agent is enrolled already. */
bool agent_record_insert(Connection *connection, const AgentRecord *record, GError **error);
/* Writes what an operator decides (verifier address, AK, policy, accept lists, metadata) over the
 * record of the same id and leaves state, counters and history alone (decision D101). */
bool agent_record_replace(Connection *connection, const AgentRecord *record, bool *found,
                          GError **error);
/* Takes the row's lock for the rest of the transaction, so that what concerns one agent happens one
 * after the other. *found false = not enrolled. */
bool agent_record_lock(Connection *connection, const char *agent_id, bool *found, GError **error);

/* "PASS", "FAIL", "TIMEOUT", "PENDING" (verifier-push-api §8.1, decision D82); static. */
const char *agent_record_status(const AgentRecord *record);
/* The object of GET /v2.x/agents/{id} in upstream's member order; new reference. */
Json *agent_record_to_json(const AgentRecord *record, const VerifierSettings *settings);
