/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator posts to enrol or update an agent, checked whole before anything is stored
 * (tenant-and-management-api §4.2, decisions D5, D83). Pure.
 */
#pragma once

#include "verifier/policies/policy_choice.h"

#define ENROLMENT_ERROR (enrolment_error_quark())
/* Codes are HTTP statuses; the messages begin with the member's name. */
typedef enum {
    ENROLMENT_ERROR_MEMBER = 400,
    ENROLMENT_ERROR_SIGNATURE = 401, /* a runtime policy that nobody trusted has signed */
} EnrolmentError;
GQuark enrolment_error_quark(void);

/* A complete record of a new agent, but for the policies that it will name: *choices (empty before)
 * says which. NULL: members missing or wrong. */
AgentRecord *enrolment_read(Json *members, const char *agent_id, const VerifierSettings *settings,
                            const PolicyRules *rules, PolicyChoices *choices, GError **error);

/*
 * Writes the members that are given over those of `record` (decision D101). *new_reference: the AK,
 * a policy or an accept list was among them, so that what was judged before says nothing any more.
 */
bool enrolment_update(Json *members, AgentRecord *record, const PolicyRules *rules,
                      PolicyChoices *choices, bool *new_reference, GError **error);

/* False when the TPM policy of a record names a PCR that its runtime or measured boot policy judges
 * (decision D83). */
bool enrolment_check_pcrs(const AgentRecord *record, GError **error);

/* The member that `error` is about ("ak_tpm"), newly allocated, or NULL. */
char *enrolment_error_member(const GError *error);
