/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options about runtime and measured boot policies, as members of requests
 * (tenant-and-management-api §2.3, §2.8). Files are read and checked before anything is sent.
 */
#pragma once

#include "tenant/commands.h"

/* What an event log explains (measured-boot §3.5), and what an IMA list does: the bits of `mask`.
 */
#define BOOT_MASK 0xfbffu
#define IMA_MASK 0x0400u

typedef struct {
    char *runtime_policy; /* base64 text, "" = none */
    char *runtime_key;    /* base64 text of the PEM key, "" = none */
    const char *runtime_name;
    char *mb_policy; /* JSON text, NULL = none */
    const char *mb_name;
    char *ima_keys; /* text of a keyring, "" = none */
    unsigned mask;  /* PCRs that these judge */
} LogPolicies;

void log_policies_clear(LogPolicies *policies);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LogPolicies, log_policies_clear)

/* `whole`: a runtime policy must be one, not only JSON: nobody else looks before the agent's old
 * enrolment may be gone. */
bool log_policies_read(const Tenant *tenant, bool whole, LogPolicies *out, GError **error);

/* The members of an enrolment; the members' names and order are upstream's. */
void log_policies_add(const LogPolicies *policies, Json *request);

/* The text of the TPM policy with the mask of all; says the masks in the log. NULL and *error when
 * --tpm_policy is wrong, or names a PCR that one of these policies judges. */
char *log_policies_tpm_policy(const Tenant *tenant, const LogPolicies *policies, GError **error);
