/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of the TPM vector files; the form of each is described in
 * tests/known-answers/tpm/README.md.
 */
#pragma once

#include "vector.h"

void read_public(Json *document, Tally *tally);
void read_kdf(Json *document, Tally *tally);
void read_makecredential(Json *document, Tally *tally);
void read_auth_tag(Json *document, Tally *tally);
void read_quote(Json *document, Tally *tally);
void read_certify_pop(Json *document, Tally *tally);
void read_certify_iak(Json *document, Tally *tally);
void read_clock(Json *document, Tally *tally);
