/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IAK and IDevID, the device's own keys: their certificates, and the proof that the AK lives beside
 * the IAK (registrar-api §8.1, §8.5; tpm-formats §8.3; decision D21).
 */
#pragma once

#include "registrar/agent_record.h"
#include "registrar/register_message.h"
#include "registrar/registrar.h"
#include "tpm/public.h"

typedef struct {
    const Registrar *registrar;
    const char *agent_id;
    const RegisterMessage *message;
    const AgentIdentity *stored; /* of the active record, or NULL */
    const TpmPublic *ak;
} DeviceIdentityRequest;

/* Fills the four members of `out`; what was not sent stays as stored. False and a sentence in
 * *reason. */
bool device_identity_check(const DeviceIdentityRequest *request, AgentIdentity *out, char **reason);

/* malformed_cert_action on one certificate of a registration. False and *reason. */
bool identity_check_encoding(const Registrar *registrar, const char *agent_id, const char *name,
                             const EkCertificate *certificate, char **reason);
