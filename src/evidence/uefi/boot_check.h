/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measured boot within the PCR check (measured-boot §8, decisions D57 to D60): the log must parse,
 * its replay must give the quoted PCRs, and the policy must accept what it says.
 *
 * The steps are apart because other checks stand between them; pcr_check() is their order. Pure.
 */
#pragma once

#include "evidence/uefi/replay.h"
#include "evidence/verdict.h"
#include "policy/boot_policy.h"
#include "tpm/pcr.h"

/* Which rules hold besides those of the policy (measured-boot §15, decision D58). */
typedef enum {
    BOOT_PROFILE_STRICT = 0, /* P1 to P9: an event counts only for what its digest proves */
    BOOT_PROFILE_UPSTREAM,   /* event data are believed; P7, P9 and the parser's rules hold */
} BootProfile;

/* "strict", "upstream"; false for any other text. */
bool boot_profile_from_name(const char *name, BootProfile *out);

/* When the policy is evaluated. Replay and comparison happen every time. */
typedef enum {
    BOOT_EVALUATE_UNKNOWN = 0, /* no value of the option: fails */
    BOOT_EVALUATE_ONCE,        /* when anything differs from what passed last (decision D57) */
    BOOT_EVALUATE_ALWAYS,
} BootEvaluate;

/* "once", "always"; BOOT_EVALUATE_UNKNOWN for any other text. */
BootEvaluate boot_evaluate_from_name(const char *name);

typedef struct {
    Bytes log;                /* empty: none was sent */
    const BootPolicy *policy; /* NULL: none, and the log needs only to parse */
    BootProfile profile;
    BootEvaluate evaluate;
    /* Bits of `measured_boot_pcrs`; 0: BOOT_PCRS. Not for `example`, whose set is its own (D60). */
    uint32_t pcrs;
    size_t max_log_size, max_events; /* 0: UEFI_LOG_MAX_SIZE, UEFI_LOG_MAX_EVENTS */
} BootInput;

#define BOOT_FINGERPRINT_SIZE 32

/* What is remembered of the last evaluation that passed. */
typedef struct {
    bool passed;
    uint8_t fingerprint[BOOT_FINGERPRINT_SIZE];
} BootState;

/* SHA-256 over everything that a verdict follows from: log, policy text and name, profile, bank,
 * PCRs, the TPM's resetCount (decision D57), and this program's version, whose rules may be
 * stricter than those that passed. `input` has a policy. False when OpenSSL fails:
 * then nothing is remembered, and nothing taken for known. */
bool boot_fingerprint(const BootInput *input, uint16_t bank, uint32_t reset_count,
                      uint8_t out[BOOT_FINGERPRINT_SIZE]);

/* Bits of the PCRs that a quote must have where a log is wanted (§3.2); `pcrs` as in BootInput. */
uint32_t boot_required_pcrs(BootRules rules, uint32_t pcrs);

/* One check as it goes on. */
typedef struct BootCheck BootCheck;

/* Step 1: parse the log. `input` may be NULL (nothing to do in any step) and must outlive the
 * check, as must `pcrs`, the values of the verified quote. */
BootCheck *boot_check_begin(const BootInput *input, const PcrValues *pcrs, uint16_t bank,
                            Verdict *verdict);
void boot_check_free(BootCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootCheck, boot_check_free)

/* The replay of a log that was parsed, for the boot aggregates of the IMA check; NULL otherwise. */
const UefiReplay *boot_check_replay(const BootCheck *check);
/* Step 4: compare the replay with the quote. Returns the bits of the PCRs that were compared. */
uint32_t boot_check_compare(BootCheck *check, Verdict *verdict);
/* Step 7: the policy's text must be JSON. */
void boot_check_policy(const BootCheck *check, Verdict *verdict);
/* Step 8: evaluate the policy. `used`: bits of the PCRs that some step compared. *state is replaced
 * when the evaluation was made and all of measured boot passed. */
void boot_check_evaluate(BootCheck *check, uint32_t used, uint32_t reset_count, BootState *state,
                         Verdict *verdict);
