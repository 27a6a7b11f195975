/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logs of an attestation: what was asked for, as the row's column `logs` and the API have it,
 * and what was received (table `evidence_logs`; decisions D69, D81).
 */
#pragma once

#include "store/database.h"
#include "verifier/attestation/negotiation_logs.h"

/* Logs of failures that are kept for each agent (decision D81). */
#define LOGS_KEPT 10

typedef enum { LOG_UEFI, LOG_IMA } LogKind; /* in the order of the protocol */
#define LOG_KINDS 2

/* "uefi_log", "ima_log"; static. */
const char *log_kind_text(LogKind kind);

/* One log of an attestation. */
typedef struct {
    bool asked;
    Json *capabilities; /* as offered */
    gint64 offset;      /* ima_log: entries that were not asked for */
    gint64 announced;   /* entry_count as offered, -1 = not said */
    gint64 received;    /* ima_log: lines that came, -1 = not yet */
    gint64 certified;   /* ima_log: entries up to the one that gave the quoted PCR, -1 = unknown */
} AskedLog;

typedef struct {
    AskedLog log[LOG_KINDS];
} AskedLogs;

void asked_logs_clear(AskedLogs *logs);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AskedLogs, asked_logs_clear)
/* Without the offered capabilities, which are for showing. */
void asked_logs_copy(const AskedLogs *logs, AskedLogs *out);

void asked_logs_of(const NegotiatedLogs *negotiated, AskedLogs *out);
/* Text of the column; NULL when none was asked for. Newly allocated. */
char *asked_logs_store(const AskedLogs *logs);
/* `text` may be NULL; what cannot be read was not asked for. */
void asked_logs_read(const char *text, AskedLogs *out);

/* How many logs were asked for. */
unsigned asked_logs_count(const AskedLogs *logs);

/* chosen_parameters of a log (verifier-push-api §5.4); new reference. */
Json *asked_log_parameters(LogKind kind, const AskedLog *log);

/* --- the logs themselves ------------------------------------------------------------------- */

bool evidence_log_store(Connection *connection, const char *agent_id, gint64 index, LogKind kind,
                        Bytes content, GError **error);
/* *out NULL: none was received, or it is not kept. */
bool evidence_log_load(Connection *connection, const char *agent_id, gint64 index, LogKind kind,
                       GBytes **out, GError **error);
/* A pass: nobody will look at them again. */
bool evidence_logs_drop(Connection *connection, const char *agent_id, gint64 index, GError **error);
/* Keeps those of the newest LOGS_KEPT attestations that have any. */
bool evidence_logs_prune(Connection *connection, const char *agent_id, GError **error);
