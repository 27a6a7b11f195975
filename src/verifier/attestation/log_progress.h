/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From where an agent's logs go on (table `log_states`): what one attestation leaves for the next
 * (ima §9.2, §9.4; decisions D39, D44, D47, D57).
 */
#pragma once

#include "evidence/ima/push.h"
#include "verifier/agent_record.h"

/* The stored state of the list, evidence/ima/push.h's text; *out NULL: nothing is stored. */
bool log_progress_load(Connection *connection, const char *agent_id, char **out, GError **error);
/* `ima_state` NULL: nothing is known of the list. */
bool log_progress_store(Connection *connection, const char *agent_id, const BootState *boot,
                        const char *ima_state, GError **error);

/* The state of a stored text; one of nothing for NULL, and for a text that cannot be read, as the
 * whole list is asked for then. */
ImaPushState *log_progress_ima_state(const char *agent_id, const char *text);

/* What judges the agent's IMA list: another text after a change of the policy, of the keys of the
 * enrolment, or of the option ima_violations. Newly allocated. */
char *log_progress_ima_reference(const AgentRecord *agent, ImaViolations violations);

/* Seconds, as the list's state counts them. */
gint64 log_progress_boot_time(Timestamp boot_time);
