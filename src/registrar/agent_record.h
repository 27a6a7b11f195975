/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the registrar knows of an agent, and the JSON that admins see of it (registrar-api §9).
 */
#pragma once

#include "base/json.h"
#include "store/database.h"

/* What a registration claims, after its checks. */
typedef struct {
    GBytes *ek_tpm, *aik_tpm;                              /* TPM2B_PUBLIC */
    GBytes *ekcert;                                        /* DER, or NULL */
    char *ek_cert_status;                                  /* verified, unverified, absent */
    char *ek_cert_reason;                                  /* or NULL */
    GBytes *iak_tpm, *iak_cert, *idevid_tpm, *idevid_cert; /* or NULL */
    char *ip;                                              /* or NULL */
    bool has_port;
    gint64 port;
    char *mtls_cert; /* PEM or "disabled" */
} AgentIdentity;

#define EK_CERT_VERIFIED "verified"
#define EK_CERT_UNVERIFIED "unverified"
#define EK_CERT_ABSENT "absent"

void agent_identity_clear(AgentIdentity *identity);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AgentIdentity, agent_identity_clear)

/* An agent that has proven its TPM. */
typedef struct {
    char *agent_id;
    AgentIdentity identity;
    gint64 regcount;
} AgentRecord;
void agent_record_free(AgentRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AgentRecord, agent_record_free)

typedef enum {
    AGENT_UNKNOWN,  /* nothing under this id */
    AGENT_UNPROVEN, /* registrations wait for their proof */
    AGENT_ACTIVE,
} AgentState;

typedef struct {
    AgentState state;
    AgentRecord *record;  /* ACTIVE */
    GBytes *tombstone_ek; /* the EK to which a deleted id is still bound, or NULL */
} AgentLookup;
void agent_lookup_clear(AgentLookup *lookup);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AgentLookup, agent_lookup_clear)

/* False and STORE_ERROR when the database fails. */
bool agent_lookup(Database *database, const char *agent_id, AgentLookup *out, GError **error);

/* Ids of all agents, proven or not, sorted; new reference. */
Json *agent_list(Database *database, GError **error);

/* Removes the agent and all that waits under its id; the id stays bound for `tombstone` seconds.
 * *found is false when there was nothing. */
bool agent_delete(Database *database, const char *agent_id, gint64 tombstone, bool *found,
                  GError **error);

/* Members of the `results` of GET, in upstream's order; new reference. */
Json *agent_record_to_json(const AgentRecord *record);
