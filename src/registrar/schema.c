/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's tables. Times are microseconds since the epoch. Nothing here is shared with
 * upstream's databases (decision D115).
 */
#include "registrar/registrar.h"

/* What a registration says; the same columns in both tables, so that activation is one statement.
 */
#define IDENTITY_COLUMNS                                                                           \
    " ek_tpm BYTEA NOT NULL,"  /* TPM2B_PUBLIC */                                                  \
    " aik_tpm BYTEA NOT NULL," /* TPM2B_PUBLIC */                                                  \
    " ekcert BYTEA,"           /* DER of the leaf, as received */                                  \
    " ek_cert_status TEXT NOT NULL,"                                                               \
    " ek_cert_reason TEXT,"                                                                        \
    " iak_tpm BYTEA, iak_cert BYTEA, idevid_tpm BYTEA, idevid_cert BYTEA,"                         \
    " ip TEXT, port BIGINT,"                                                                       \
    " mtls_cert TEXT NOT NULL," /* PEM or "disabled" */

static const char *const version_1[] = {
    /* Agents that have proven their TPM. */
    "CREATE TABLE agents ("
    " agent_id TEXT PRIMARY KEY," IDENTITY_COLUMNS " regcount BIGINT NOT NULL,"
    " last_tag_hash BYTEA NOT NULL," /* of the challenge that was consumed last (decision D16) */
    " activated_at BIGINT NOT NULL)",

    /* What waits for its proof (decision D17): no part of it is believed before. */
    "CREATE TABLE registrations ("
    " agent_id TEXT NOT NULL,"
    " tag_hash BYTEA NOT NULL," /* SHA-256 of the only right auth_tag */
    IDENTITY_COLUMNS " peer TEXT NOT NULL,"
    " attempts BIGINT NOT NULL,"
    " issued_at BIGINT NOT NULL,"
    " expires_at BIGINT NOT NULL,"
    " PRIMARY KEY (agent_id, tag_hash))",
    "CREATE INDEX registrations_by_expiry ON registrations (expires_at)",

    /* Ids of deleted agents that are not free yet (option identity_tombstone). */
    "CREATE TABLE tombstones ("
    " agent_id TEXT PRIMARY KEY,"
    " ek_tpm BYTEA NOT NULL,"
    " expires_at BIGINT NOT NULL)",
    NULL,
};

const Migration registrar_migrations[] = {{1, version_1}, {0, NULL}};
