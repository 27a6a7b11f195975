/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of a quote and of a certification, in the strict order of tpm-formats §7.7 and §8:
 * nothing inside a message is looked at before its signature has verified.
 */
#pragma once

#include "tpm/attest.h"

/* Why a proof is not believed. Zero means nothing was proven: only VERIFIED is a yes. */
typedef enum {
    PROOF_UNCHECKED = 0,
    PROOF_VERIFIED,
    PROOF_BAD_KEY, /* AK unparsable or not an attestation key */
    PROOF_MALFORMED_SIGNATURE,
    PROOF_ALGORITHM_NOT_ALLOWED, /* scheme or hash not the key's, or not accepted */
    PROOF_BAD_SIGNATURE,
    PROOF_MALFORMED_MESSAGE,
    PROOF_WRONG_NONCE,
    PROOF_WRONG_OBJECT, /* certify: another key's name */
    PROOF_MALFORMED_PCRS,
    PROOF_SELECTION_DIFFERS, /* blob's selection is not the signed one */
    PROOF_DIGEST_DIFFERS,
    PROOF_PCRS_MISSING,
} ProofResult;

/* A sentence for people; static. */
const char *proof_result_text(ProofResult result);

/* Which algorithms count: sets of names, NULL-terminated; NULL = rsassa/rsapss/ecdsa with
 * sha256/384/512. "sha1" must be named to count (decision D6). */
typedef struct {
    const char *const *schemes;
    const char *const *hashes;
} ProofRules;

typedef struct {
    const TpmPublic *ak;
    Bytes message, signature, pcr_blob;
    Bytes nonce;            /* an empty one matches nothing */
    uint16_t scheme;        /* negotiated; 0 = the key's */
    uint16_t hash;          /* negotiated signature hash and bank; 0 = the key's */
    uint32_t required_pcrs; /* in the bank `hash` */
    ProofRules rules;
} QuoteInput;

typedef struct {
    TpmClock clock;
    uint64_t firmware_version;
    uint16_t hash; /* of the signature: the bank that counts */
    PcrValues pcrs;
} VerifiedQuote;

/* On PROOF_VERIFIED *out is set to newly allocated contents (g_free); otherwise to NULL, so PCR
 * values of an unverified quote cannot be reached. */
ProofResult quote_verify(const QuoteInput *input, VerifiedQuote **out);

/* Proof of possession: TPM2_Certify of the AK by itself over `challenge` (tpm-formats §8.2). */
ProofResult certify_verify_possession(const TpmPublic *ak, Bytes message, Bytes signature,
                                      Bytes challenge, const ProofRules *rules);

/* AK certified by the IAK at registration; qualifying data is SHA-256(agent id) or the id itself
 * (tpm-formats §8.3, decision D21). */
ProofResult certify_verify_iak(const TpmPublic *iak, const TpmPublic *ak, Bytes message,
                               Bytes signature, const char *agent_id);

/* Continuity of the TPM's clock between two quotes of one AK (tpm-formats §10, decision D12). */
typedef enum {
    CLOCK_CONTINUES,
    CLOCK_NEW_BOOT,
    CLOCK_UNSAFE,          /* accepted with a warning */
    CLOCK_UNSAFE_NEW_BOOT, /* likewise, in a new boot */
    CLOCK_WENT_BACK,
    CLOCK_RESET_WENT_BACK,
    CLOCK_RESTART_WENT_BACK,
} ClockResult;
ClockResult clock_compare(const TpmClock *previous, const TpmClock *current);
/* True for the first four. */
bool clock_is_acceptable(ClockResult result);
/* A sentence for people; static. */
const char *clock_result_text(ClockResult result);
