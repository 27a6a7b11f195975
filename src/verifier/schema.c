/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's tables. Times are microseconds since the epoch, 0 or NULL = never; booleans are
 * 0/1; texts that hold JSON say so. Nothing here is shared with upstream's databases (decision
 * D115).
 */
#include "store/migration.h"
#include "verifier/verifier.h"

static const char *const version_1[] = {
    /* One row for each enrolled agent: what attestation changes. A row that changes is written
     * whole, so what an operator decided is in a table of its own, and what is large belongs there
     * or with the attestations. */
    "CREATE TABLE agents ("
    " agent_id TEXT PRIMARY KEY,"
    " verifier_id TEXT NOT NULL,"
    " ak_name BYTEA NOT NULL,"
    " created_at BIGINT NOT NULL,"
    /* state */
    " operational_state BIGINT NOT NULL,"
    " accept_attestations BIGINT NOT NULL,"
    " attestation_count BIGINT NOT NULL,"
    " consecutive_failures BIGINT NOT NULL,"
    " last_event_id TEXT, severity_level BIGINT," /* of the last failure */
    " next_index BIGINT NOT NULL,"                /* of the next attestation; never reused */
    " last_received_quote BIGINT NOT NULL,"
    " last_successful_attestation BIGINT NOT NULL,"
    " shown_pending BIGINT NOT NULL," /* after reactivate, until the next verdict (decision D82) */
    /* liveness (decisions D64, D66) */
    /* NULL = disarmed. It may be earlier than what the last evidence earned, never later: the
     * sweep looks at both (verifier/upkeep/liveness.h). */
    " deadline BIGINT,"
    " told_to_wait BIGINT NOT NULL,"    /* 1: the deadline was prolonged since the last evidence */
    " pending_noticed BIGINT NOT NULL," /* 1 after the time-out, 2 after pending_notice */
    /* abandoned challenges (decision D80) */
    " unanswered_since BIGINT NOT NULL, unanswered_count BIGINT NOT NULL,"
    /* the last authenticated quote (decision D12) */
    " clock_ak_name BYTEA, clock BIGINT, reset_count BIGINT, restart_count BIGINT,"
    " clock_safe BIGINT, firmware_version BIGINT,"
    /* what retention keeps beside the newest (decision D81); -1 = none */
    " last_pass_index BIGINT NOT NULL DEFAULT -1,"
    " failure_run_index BIGINT NOT NULL DEFAULT -1,"
    " next_clean_up BIGINT NOT NULL DEFAULT 0"
    ")",
    "CREATE INDEX agents_deadline ON agents (deadline) WHERE deadline IS NOT NULL",
    "CREATE INDEX agents_pending ON agents (pending_noticed, created_at)"
    " WHERE last_received_quote = 0",
    "CREATE INDEX agents_verifier ON agents (verifier_id)",

    /* What an operator decides about an agent; one row for each of `agents`. */
    "CREATE TABLE enrolments ("
    " agent_id TEXT PRIMARY KEY REFERENCES agents (agent_id) ON DELETE CASCADE,"
    " ip TEXT, port BIGINT," /* NULL in push mode, always (contract C81) */
    " verifier_ip TEXT, verifier_port BIGINT,"
    " ak_tpm BYTEA NOT NULL,"    /* TPM2B_PUBLIC */
    " tpm_policy TEXT NOT NULL," /* JSON text as posted */
    " meta_data TEXT NOT NULL,"
    " accept_tpm_hash_algs TEXT NOT NULL," /* JSON arrays of texts */
    " accept_tpm_encryption_algs TEXT NOT NULL,"
    " accept_tpm_signing_algs TEXT NOT NULL,"
    " ima_sign_verification_keys TEXT,"
    " mtls_cert TEXT, supported_version TEXT,"
    " runtime_policy TEXT, mb_policy TEXT" /* names in `policies`, or NULL */
    ")",
    "CREATE INDEX enrolments_runtime_policy ON enrolments (runtime_policy)"
    " WHERE runtime_policy IS NOT NULL",
    "CREATE INDEX enrolments_mb_policy ON enrolments (mb_policy) WHERE mb_policy IS NOT NULL",

    /* Runtime and measured boot policies, which agents share. */
    "CREATE TABLE policies ("
    " kind TEXT NOT NULL," /* runtime, measured_boot */
    " name TEXT NOT NULL,"
    " checksum TEXT NOT NULL,"    /* SHA-256 of the text, hexadecimal */
    " generator BIGINT NOT NULL," /* meta.generator of a runtime policy, else 0 */
    " wants_log BIGINT NOT NULL," /* its agents must send the log that it judges */
    " updated_at BIGINT NOT NULL,"
    " key TEXT," /* PEM of the key that a signed policy was verified with */
    " PRIMARY KEY (kind, name)"
    ")",
    /* Megabytes, perhaps: apart, so that no change of a row of the other table moves them. */
    "CREATE TABLE policy_texts ("
    " kind TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " policy TEXT," /* as received; NULL = none */
    " PRIMARY KEY (kind, name),"
    " FOREIGN KEY (kind, name) REFERENCES policies (kind, name) ON DELETE CASCADE"
    ")",

    "CREATE TABLE attestations ("
    " agent_id TEXT NOT NULL REFERENCES agents (agent_id) ON DELETE CASCADE,"
    " attestation_index BIGINT NOT NULL,"
    " stage TEXT NOT NULL,"      /* awaiting_evidence, evaluating_evidence, verification_complete */
    " evaluation TEXT NOT NULL," /* pending, pass, fail */
    " failure_reason TEXT,"
    " failures TEXT," /* JSON array of {event_id, context} */
    " warnings TEXT," /* JSON array of texts */
    " boot_time BIGINT,"
    " capabilities_received_at BIGINT NOT NULL,"
    " challenges_expire_at BIGINT NOT NULL,"
    " evidence_received_at BIGINT,"
    " verification_completed_at BIGINT,"
    " challenge BYTEA NOT NULL,"
    " capabilities TEXT NOT NULL," /* JSON, verifier/attestation/capabilities.h */
    /* negotiated for the quote: TPM_ALG_ID of scheme and hash, bits of the PCRs asked for, and
     * which of the offered keys */
    " quote_scheme BIGINT NOT NULL, quote_hash BIGINT NOT NULL,"
    " quote_pcrs BIGINT NOT NULL, quote_key BIGINT NOT NULL,"
    " message BYTEA, signature BYTEA, pcr_blob BYTEA,"
    " ima_certified BIGINT," /* entries of the IMA list up to the quoted PCR */
    " logs TEXT," /* what was asked for beside the quote, JSON (verifier/attestation/logs.h) */
    /* appraisal job: present while stage = evaluating_evidence (decision D69) */
    " job_starts BIGINT NOT NULL, job_lease BIGINT NOT NULL," /* lease 0 = nobody works on it */
    " PRIMARY KEY (agent_id, attestation_index)"
    ")",
    "CREATE INDEX attestations_jobs ON attestations (job_lease)"
    " WHERE stage = 'evaluating_evidence'",

    /* What the next appraisal of an agent's logs goes on from. */
    "CREATE TABLE log_states ("
    " agent_id TEXT PRIMARY KEY REFERENCES agents (agent_id) ON DELETE CASCADE,"
    " boot_evaluated BYTEA," /* fingerprint of the evaluation that passed (decision D57) */
    " ima_state TEXT"        /* evidence/ima/push.h, JSON */
    ")",

    /* Logs as they were received, in parts, so that neither engine moves one of 100 MiB at once. */
    "CREATE TABLE evidence_logs ("
    " agent_id TEXT NOT NULL,"
    " attestation_index BIGINT NOT NULL,"
    " kind TEXT NOT NULL," /* ima_log, uefi_log */
    " part BIGINT NOT NULL,"
    " content BYTEA NOT NULL,"
    " PRIMARY KEY (agent_id, attestation_index, kind, part),"
    " FOREIGN KEY (agent_id, attestation_index)"
    " REFERENCES attestations (agent_id, attestation_index) ON DELETE CASCADE"
    ")",

    /* At most one token for each agent; only its hash. */
    "CREATE TABLE sessions ("
    " agent_id TEXT PRIMARY KEY,"
    " session_id TEXT NOT NULL UNIQUE,"
    " token_hash BYTEA NOT NULL," /* SHA-256 of the 32 secret bytes */
    " ak_name BYTEA NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " expires_at BIGINT NOT NULL"
    ")",
    /* Session ids that were used up by a proof, until their challenge has expired anyway. */
    "CREATE TABLE consumed_sessions (session_id TEXT PRIMARY KEY, expires_at BIGINT NOT NULL)",
    "CREATE INDEX consumed_sessions_expiry ON consumed_sessions (expires_at)",

    /* Keys behind stateless session challenges, shared by all replicas (decision D31). */
    "CREATE TABLE server_keys (key_id BIGINT PRIMARY KEY, secret BYTEA NOT NULL,"
    " created_at BIGINT NOT NULL)",

    /* That a sweeper ran: deadlines which passed while none did are set anew (decision D66). */
    "CREATE TABLE heartbeats (name TEXT PRIMARY KEY, beaten_at BIGINT NOT NULL)",
    NULL,
};

/* Notifications, and what becomes of agents that nobody hears from. */
static const char *const version_2[] = {
    /* 1 from FAIL or TIMEOUT until the next pass that shows PASS: then receivers are told. */
    "ALTER TABLE agents ADD COLUMN alarmed BIGINT NOT NULL DEFAULT 0",
    "UPDATE agents SET alarmed = 1 WHERE consecutive_failures > 0 OR accept_attestations = 0",
    /* Silence before this time does not make an agent stale (verifier/upkeep/stale_agents.h). */
    "ALTER TABLE agents ADD COLUMN stale_from BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE enrolments ADD COLUMN revocation_key TEXT", /* PEM, signs notifications */

    /* The outbox (verifier/notification/outbox.h): one row for each event that somebody is still to
       be told. */
    "CREATE TABLE notifications ("
    " sequence BIGINT PRIMARY KEY,"
    " type TEXT NOT NULL,"
    " agent_id TEXT NOT NULL," /* which may be gone */
    " created_at BIGINT NOT NULL,"
    " message TEXT NOT NULL," /* the JSON text that is signed */
    " signing_key TEXT"       /* the agent's key as of the event; NULL = it had none */
    ")",
    "CREATE INDEX notifications_age ON notifications (created_at)",
    /* Who is still to be told of it: the URL of a webhook, or `zeromq`. */
    "CREATE TABLE deliveries ("
    " sequence BIGINT NOT NULL REFERENCES notifications (sequence) ON DELETE CASCADE,"
    " destination TEXT NOT NULL,"
    " refusals BIGINT NOT NULL," /* tries that the receiver answered with an error */
    " PRIMARY KEY (sequence, destination)"
    ")",
    "CREATE INDEX deliveries_order ON deliveries (destination, refusals, sequence)",
    "CREATE TABLE destinations ("
    " destination TEXT PRIMARY KEY,"
    " failures BIGINT NOT NULL," /* failed tries in a row */
    " due_at BIGINT NOT NULL,"   /* not before */
    " holder TEXT NOT NULL,"     /* the process that delivers, until lease_until */
    " lease_until BIGINT NOT NULL"
    ")",
    /* One row: the number of the last event, and of those that were dropped unsaid. */
    "CREATE TABLE outbox_state (name TEXT PRIMARY KEY, last_sequence BIGINT NOT NULL,"
    " dropped BIGINT NOT NULL)",
    NULL,
};

const Migration verifier_migrations[] = {{1, version_1}, {2, version_2}, {0, NULL}};
