/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation of a boot event log against a reference state: the policies `example` (measured-boot
 * §12) and `hardware` (§15), under the strict or the upstream profile.
 *
 * It is three tables and what their rows call:
 *   boot_rules.c      (PCR, event type) -> rule; also the walk over the log
 *   boot_variables.c  (event type, variable) -> rule, for the variables in PCR 7
 *   boot_outcome.c    what must hold of the whole log at its end
 * A rule names its policies, how often its event may occur, and a check. To extend a policy, add a
 * row. What an event says counts only if its data hash to its digest (rule P3, data_digest.h): the
 * walk sees to that before any rule is asked.
 */
#pragma once

#include "evidence/uefi/event_log.h"
#include "evidence/uefi/variable.h"
#include "evidence/verdict.h"
#include "policy/boot_policy.h"
#include "tpm/pcr.h"

typedef struct {
    const UefiLog *log; /* parsed */
    uint16_t bank;      /* that the quote covers: in the strict profile only its digests count */
    bool strict;
    BootRules rules; /* example or hardware */
    const ReferenceState *reference;
    uint32_t pcrs; /* bits of the PCRs whose replay was compared: others prove nothing */
    const char *event_id;
} BootSubject;

/* True when the log is accepted; otherwise the verdict receives the failures. */
bool boot_evaluate(const BootSubject *subject, Verdict *verdict);

/* --- what the rows are made of --------------------------------------------------------------- */

/* Policies that a row belongs to. */
enum { IN_EXAMPLE = 1u << BOOT_RULES_EXAMPLE, IN_HARDWARE = 1u << BOOT_RULES_HARDWARE };
#define IN_BOTH (IN_EXAMPLE | IN_HARDWARE)

/* Events that are judged together at the end. */
typedef enum {
    COLLECT_APPLICATIONS, /* PCR 4 */
    COLLECT_INITRDS,      /* PCR 9 */
    COLLECT_KERNEL_FILES, /* PCR 9: vmlinuz */
    COLLECT_CMDLINES,     /* PCR 8 */
    COLLECT_VERSIONS,     /* PCR 0: EV_S_CRTM_VERSION */
    COLLECT_FIRMWARE,     /* PCR 0: blobs */
    COLLECT_COUNT
} BootCollection;

/* Where an event stands in the log. */
typedef struct {
    size_t number, offset;
} BootPlace;

/* Variables of PCR 7 that must be there exactly once (rule P4). */
enum { KEY_VARIABLE_COUNT = 5 };
/* The firmware ends its part of PCR 0 to 7 with a separator, which has one of three values. */
enum { BOOT_LAST_FIRMWARE_PCR = 7, BOOT_SEPARATOR_COUNT = 3 };
#define RULE_MAX 64

typedef struct {
    const BootSubject *subject;
    const ReferenceState *reference;
    Verdict *verdict;
    unsigned failures;
    bool abandoned; /* so many failures that the rest of the log is not looked at */
    GArray *collected[COLLECT_COUNT]; /* of BootPlace */
    unsigned rule_uses[RULE_MAX], variable_uses[RULE_MAX];
    unsigned separators[PCR_COUNT];
    uint8_t separator_digest[BOOT_SEPARATOR_COUNT][TPM_MAX_DIGEST]; /* in the quoted bank */
    unsigned key_variables[KEY_VARIABLE_COUNT];
    unsigned mok_lists, mokx_lists;
} BootEvaluation;

/* --- failures ----------------------------------------------------------------------------------
 */

/* A failure that one event causes. `expected` and `got` (either may be NULL) are for the context;
 * the format is the sentence after "event 7 (PCR 4, EV_EFI_ACTION): ". */
void boot_fail(BootEvaluation *evaluation, const UefiEvent *event, const char *expected,
               const char *got, const char *format, ...) G_GNUC_PRINTF(5, 6);
/* A failure of the log as a whole in one PCR. */
void boot_fail_pcr(BootEvaluation *evaluation, unsigned pcr, const char *expected, const char *got,
                   const char *format, ...) G_GNUC_PRINTF(5, 6);

/* --- events ------------------------------------------------------------------------------------
 */

void boot_collect(BootEvaluation *evaluation, BootCollection collection, const UefiEvent *event);
/* The event at a place. */
void boot_event_at(const BootEvaluation *evaluation, BootPlace place, UefiEvent *event);

/* A digest of the event that counts is one of these. */
bool boot_event_has_digest(const BootEvaluation *evaluation, const UefiEvent *event,
                           const ReferenceDigest *digest);
bool boot_event_has_digest_of(const BootEvaluation *evaluation, const UefiEvent *event,
                              const GArray *digests);
/* A digest of the event that counts is that of the bytes. */
bool boot_event_hashes(const BootEvaluation *evaluation, const UefiEvent *event, Bytes bytes);
/* The event's digest in the quoted bank as "sha256:6a...", newly allocated. */
char *boot_event_digest_text(const BootEvaluation *evaluation, const UefiEvent *event);
/* Likewise those of a reference state, several joined by " or ". */
char *boot_digests_text(const BootEvaluation *evaluation, const ReferenceDigest *digests,
                        size_t count);

/* How older grubs begin the kernel's command line. */
#define BOOT_OLD_CMDLINE "grub_kernel_cmdline "

/* The text of an EV_IPL event as policies see it (§6.5); NULL when it is no UTF-8. Newly
 * allocated; may hold NULs. */
GString *boot_ipl_text(const UefiEvent *event);
/* The same for people: any bytes. Newly allocated. */
char *boot_ipl_shown(const UefiEvent *event);

/* --- the parts ---------------------------------------------------------------------------------
 */

/* boot_variables.c: variables of PCR 7. */
bool boot_variable_is_global(const UefiVariable *variable);
void boot_check_variable(BootEvaluation *evaluation, const UefiEvent *event);
/* boot_outcome.c: at the end of the log. */
void boot_judge_outcome(BootEvaluation *evaluation);

/* The names of the variables of rule P4, in their usual order. */
extern const char *const boot_key_variables[KEY_VARIABLE_COUNT];
