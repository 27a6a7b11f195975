/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policy judges an agent: what an enrolment or an update says of it, and what follows in the
 * database (tenant-and-management-api §4.3; decision D83).
 */
#pragma once

#include "verifier/agent_record.h"
#include "verifier/policies/policy_record.h"

/* What was posted about one kind of policy. */
typedef struct {
    bool given;           /* something was: an update without it changes nothing */
    char *name;           /* NULL = none was named */
    PolicyRecord *posted; /* under the name, or the agent's id; NULL = no policy was sent */
} PolicyChoice;

typedef struct {
    PolicyChoice runtime, boot;
} PolicyChoices;

void policy_choices_clear(PolicyChoices *choices);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PolicyChoices, policy_choices_clear)

/* Codes are HTTP statuses; the texts are upstream's where there are such. */
#define POLICY_CHOICE_ERROR (policy_choice_error_quark())
typedef enum { POLICY_CHOICE_UNKNOWN = 404, POLICY_CHOICE_TAKEN = 409 } PolicyChoiceError;
GQuark policy_choice_error_quark(void);

/*
 * Stores what was posted and lets `record` name its policies:
 *   a name and a policy: stored under the name, which must be free;
 *   a name: there must be such a policy;
 *   a policy: stored under the agent's id, over what is there unless other agents use it;
 *   neither: the agent has none.
 * *refused (owned by the caller): nothing of the transaction may stay. False on a database error.
 */
bool policy_choices_apply(Connection *connection, const PolicyChoices *choices, AgentRecord *record,
                          GError **refused, GError **error);

/* Deletes the policies that are stored under the agent's id and that no agent names any more. */
bool policy_choices_drop_own(Connection *connection, const char *agent_id, GError **error);
