/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step that every proof begins with: nothing of a message counts before its signature does.
 */
#pragma once

#include "tpm/quote.h"

/*
 * Parses the signature whole, holds its scheme and hash to the key's own, to `scheme` and `hash`
 * (0: no demand beyond the key's) and to `rules`, and verifies it over `message`. PROOF_VERIFIED
 * when all of that holds; `*used` then names the signature's algorithms.
 */
ProofResult proof_check_signature(const TpmPublic *key, Bytes message, Bytes signature,
                                  uint16_t scheme, uint16_t hash, const ProofRules *rules,
                                  TpmSignature *used);
