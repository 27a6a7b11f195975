/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measured-boot policy: which rules judge a boot (the policy's name, measured-boot §10) and the
 * text that parametrises them (the "mb policy" of an agent, §8). Compiled once, immutable, shared
 * between threads.
 */
#pragma once

#include "policy/reference_state.h"

typedef enum {
    BOOT_RULES_ACCEPT_ALL,
    BOOT_RULES_REJECT_ALL,
    BOOT_RULES_EXAMPLE,  /* measured-boot §12 */
    BOOT_RULES_HARDWARE, /* as example, and what the firmware of real machines logs (§15) */
} BootRules;

/* "accept-all", "reject-all", "example", "hardware"; false for any other text (decision D59). */
bool boot_rules_from_name(const char *name, BootRules *out);
/* Static. */
const char *boot_rules_name(BootRules rules);

/* What a stored text says (measured-boot §8, last table). */
typedef enum {
    BOOT_POLICY_ABSENT,   /* no text: no log is asked for */
    BOOT_POLICY_EMPTY,    /* {}, [], 0, false, "": the log must parse, nothing else is judged */
    BOOT_POLICY_BROKEN,   /* no JSON, or null */
    BOOT_POLICY_UNUSABLE, /* JSON, but no reference state that the rules can use: rejects */
    BOOT_POLICY_USABLE,
} BootPolicyForm;

typedef struct BootPolicy BootPolicy;

/* Compiles the text stored for an agent (NULL: none). Never fails: what is wrong with the text is
 * for boot_policy_form() and boot_policy_problem() to say, and rejects every boot. */
BootPolicy *boot_policy_new(BootRules rules, const char *text);
BootPolicy *boot_policy_ref(const BootPolicy *policy);
void boot_policy_unref(BootPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootPolicy, boot_policy_unref)

BootRules boot_policy_rules(const BootPolicy *policy);
BootPolicyForm boot_policy_form(const BootPolicy *policy);
/* The text as stored; NULL when there is none. */
const char *boot_policy_text(const BootPolicy *policy);
/* What is wrong with a broken or unusable text, with the member's path; NULL for the others. For
 * an upload this is the reason of a 400 (decision D61). */
const char *boot_policy_problem(const BootPolicy *policy);
/* Of a usable policy of the rules `example` and `hardware`; NULL otherwise. */
const ReferenceState *boot_policy_reference(const BootPolicy *policy);

/* Bits of the PCRs that the verifier asks for and replays: 0 to 9 and 11 to 15 (§3.2, §7.2). */
#define BOOT_PCRS 0xfbffu
/* The ones among them that these rules look at; 0: no restriction (§7.2). */
uint32_t boot_rules_relevant_pcrs(BootRules rules);
