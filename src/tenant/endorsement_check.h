/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this a genuine TPM? The gate of an enrolment (decision D20): EK certificate against
 * tpm_cert_store, and the operator's own ek_check_script.
 */
#pragma once

#include "base/json.h"
#include "config/config.h"

/* `record` is the registrar's. False: nothing may be sent to the verifier; the error says what is
 * wrong and which option mends it. */
bool endorsement_check(const Config *config, const char *agent_id, Json *record, GError **error);
