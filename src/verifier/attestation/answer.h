/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that the attestation routes share, and the log lines that go with them.
 */
#pragma once

#include "http/envelope.h"

/* A transaction that has found its row changed by another request is rolled back with this error.
 */
#define ATTESTATION_ERROR (attestation_error_quark())
typedef enum { ATTESTATION_ERROR_LOST } AttestationError;
GQuark attestation_error_quark(void);
/* Sets *lost and the error; false, for the return statement of the transaction. */
bool attestation_lost(bool *lost, GError **error);

/* 500: the enrolment in the database cannot be read; logs the cause. */
void attestation_answer_broken(const HttpRequest *request, HttpResponse *response,
                               const char *agent_id, const GError *error);
/* All problems in one answer; each is a WARNING with agent id, pointer and detail (contract C116a).
 */
void attestation_answer_problems(const HttpRequest *request, HttpResponse *response,
                                 const char *agent_id, const ApiErrors *problems);
