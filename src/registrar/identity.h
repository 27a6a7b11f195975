/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is what a registration claims sound, and may it stand under this id? (registrar-api §6.2, §7, §8;
 * decisions D5, D17-D22). Reads no database: what is known of the id comes in.
 */
#pragma once

#include "registrar/agent_record.h"
#include "registrar/register_message.h"
#include "registrar/registrar.h"
#include "tpm/public.h"

typedef enum {
    IDENTITY_GOOD,
    IDENTITY_INVALID,   /* 400 */
    IDENTITY_FORBIDDEN, /* 403: the id belongs to another TPM */
} IdentityVerdict;

typedef struct {
    AgentIdentity identity;
    TpmPublic *ek, *ak; /* the two keys of the challenge */
    char *reason;       /* a sentence, when not GOOD */
} IdentityResult;
void identity_result_clear(IdentityResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IdentityResult, identity_result_clear)

/* Clear `out` in any case. */
IdentityVerdict identity_check(const Registrar *registrar, const char *agent_id,
                               const RegisterMessage *message, const AgentLookup *known,
                               IdentityResult *out);
