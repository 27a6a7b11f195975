/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `POST /agents[/:agent_id]`: the request and its answer (registrar-api §6.1, §6.3).
 */
#pragma once

#include "base/json.h"

/* Members as sent; binary ones decoded. Absent, null and "" are the same: NULL. */
typedef struct {
    GBytes *ek_tpm, *aik_tpm, *iak_tpm, *idevid_tpm;
    GBytes *iak_attest, *iak_sign;
    const char *ekcert, *iak_cert, *idevid_cert; /* PEM or base64 DER; borrowed from the JSON */
    const char *ip, *mtls_cert;                  /* borrowed likewise */
    bool has_port;
    gint64 port;
} RegisterMessage;

/* False and a sentence in *reason (newly allocated) that names the member. Clear in any case. */
bool register_message_parse(Json *body, RegisterMessage *out, char **reason);
void register_message_clear(RegisterMessage *message);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RegisterMessage, register_message_clear)

/* {"blob": "..."}; new reference. */
Json *register_message_answer(Bytes blob);
