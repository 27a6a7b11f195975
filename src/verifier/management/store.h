/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do to agents in the database, the same under both versions of the API. Each
 * function is one transaction (decision D83).
 */
#pragma once

#include "verifier/policies/policy_choice.h"

typedef enum {
    MANAGEMENT_DONE,
    MANAGEMENT_NOT_FOUND,
    MANAGEMENT_FOREIGN, /* the agent belongs to another verifier's uuid */
    MANAGEMENT_EXISTS,
} ManagementResult;

/* All return false on a database error only; *result tells the rest. */

/* Lets `record` name its policies. *refused (owned by the caller) tells what is wrong with the
 * policies; nothing is changed then. */
bool management_enrol(Verifier *verifier, AgentRecord *record, const PolicyChoices *choices,
                      ManagementResult *result, GError **refused, GError **error);
/* Agent, attestations, and the policies that were stored under its id. Its token stays but is worth
 * nothing without the agent (decision D35). */
bool management_delete(Verifier *verifier, const char *agent_id, ManagementResult *result,
                       GError **error);
/* Within a transaction that has locked the agent's row: all of that. */
bool management_delete_record(Connection *connection, const VerifierSettings *settings,
                              const char *agent_id, Timestamp now, GError **error);
/* Decision D82: the agent starts anew, shown PENDING until its next appraisal. */
bool management_reactivate(Verifier *verifier, const char *agent_id, ManagementResult *result,
                           GError **error);
/* Decision D82: no further attestations; no deadline. */
bool management_stop(Verifier *verifier, const char *agent_id, ManagementResult *result,
                     GError **error);

/*
 * Decision D101: `members` over the record in one transaction. DONE: *record is the new one. An
 * agent that was stopped stays so.
 * *refused (owned by the caller) is the enrolment error when the members are wrong; nothing is
 * changed then.
 */
bool management_update(Verifier *verifier, const char *agent_id, Json *members,
                       AgentRecord **record, ManagementResult *result, GError **refused,
                       GError **error);

/* *record NULL: not enrolled. */
bool management_read(Verifier *verifier, const char *agent_id, AgentRecord **record,
                     GError **error);
/* Of this verifier_id, or of all when NULL or empty; *records of AgentRecord. */
bool management_read_all(Verifier *verifier, const char *verifier_id, GPtrArray **records,
                         GError **error);
