/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of one vector of a measured-boot manifest; its form is described in
 * tests/known-answers/measured-boot/README.md. Each opens and closes cases of its own.
 */
#pragma once

#include "vector.h"

/* Whether the log parses, its banks, its number of events, PCRs, aggregates, and JSON view. */
void check_event_log(Json *vector, Bytes log, Tally *tally);
/* Its policy cases and attestation cases. */
void check_boot_policies(Json *vector, Bytes log, Tally *tally);
/* What `keylime-policy create measured-boot` makes of the log: the reference state, or exit status
 * 1. */
void check_create_policy(Json *vector, Bytes log, Tally *tally);
