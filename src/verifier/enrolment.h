/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator posts to enrol or update an agent, checked whole before anything is stored
 * (tenant-and-management-api §4.2, decisions D5, D83). Pure.
 */
#pragma once

#include "verifier/agent_record.h"

#define ENROLMENT_ERROR (enrolment_error_quark())
typedef enum {
    ENROLMENT_ERROR_MEMBER, /* the message begins with the member's name */
} EnrolmentError;
GQuark enrolment_error_quark(void);

/* A complete record of a new agent, or NULL: members missing or wrong. */
AgentRecord *enrolment_read(Json *members, const char *agent_id, const VerifierSettings *settings,
                            GError **error);

/*
 * Writes the members that are given over those of `record` (decision D101). *new_reference: the AK,
 * the TPM policy or an accept list was among them, so that what was judged before says nothing any
 * more.
 */
bool enrolment_update(Json *members, AgentRecord *record, bool *new_reference, GError **error);

/* The member that `error` is about ("ak_tpm"), newly allocated, or NULL. */
char *enrolment_error_member(const GError *error);
