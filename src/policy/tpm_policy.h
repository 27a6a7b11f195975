/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM policy: allowed values of PCRs (tenant-and-management-api §2.8, verifier-push-api §5.4, §7.2
 * steps 9-10, decision D83). Immutable once parsed; shared between threads.
 */
#pragma once

#include "tpm/pcr.h"

#define POLICY_ERROR (policy_error_quark())
typedef enum { POLICY_ERROR_INVALID } PolicyError;
GQuark policy_error_quark(void);

typedef struct TpmPolicy TpmPolicy;

/*
 * JSON object text (a text holding one is what tenants send): keys "0".."23" with a list of hex
 * texts or one text (an optional 0x is dropped, case is folded), and "mask"; at most 25,000 values.
 * Error names the member.
 */
TpmPolicy *tpm_policy_parse(const char *text, GError **error);
TpmPolicy *tpm_policy_ref(const TpmPolicy *policy);
void tpm_policy_unref(TpmPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TpmPolicy, tpm_policy_unref)

/* Bits of the PCRs with at least one value. */
uint32_t tpm_policy_pcrs(const TpmPolicy *policy);
/* True when `value` is one of the allowed ones of this length. */
bool tpm_policy_allows(const TpmPolicy *policy, unsigned pcr, Bytes value);
/* The allowed values of a PCR with the length of a bank's digest, as hex texts joined by ", ";
 * newly allocated: what a failure shows as expected. */
char *tpm_policy_expected(const TpmPolicy *policy, unsigned pcr, size_t digest_size);
