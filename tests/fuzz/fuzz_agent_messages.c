/* SPDX-License-Identifier: Apache-2.0 */
/* What servers answer the agent, and its identity file: read without harm, whatever the bytes. */
#include "agent/agent_data.h"
#include "agent/message_attestation.h"
#include "agent/message_registration.h"
#include "agent/message_session.h"
#include "agent/remedy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_answers(Json *body)
{
    g_autoptr(GBytes) blob = registration_answer_read(body, NULL);
    g_autofree const char **versions = version_answer_read(body, NULL);
    g_auto(SessionChallenge) challenge = {0};
    g_autofree char *evaluation = NULL;
    g_autofree char *token = NULL;
    EvidenceRequest request = {0};
    g_autofree char *details = remedy_answer_details(body);
    g_autofree char *remedy = remedy_for_attestation(422, body, "agent");
    (void)activation_answer_read(body, NULL);
    (void)session_challenge_read(body, &challenge, NULL);
    (void)session_result_read(body, &evaluation, &token, NULL);
    const TpmPublic ak = {.scheme = TPM_ALG_RSASSA, .scheme_hash = TPM_ALG_SHA256};
    const Capabilities offered = {.ak = &ak, .has_uefi_log = true, .ima_entries = 5};
    if (evidence_request_read(body, &offered, &request, NULL))
        g_assert(request.count <= EVIDENCE_KINDS && request.challenge &&
                 request.selection.count == 1 && request.selection.bank[0].pcrs < 1u << PCR_COUNT);
    evidence_request_clear(&request);
    g_assert(acceptance_read(body) >= -1);
    (void)own_status_read(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(AgentData) identity = {0};
    g_autoptr(Json) body = json_parse(bytes_of(data, size), NULL);
    if (body)
        read_answers(body);
    (void)agent_data_parse(bytes_of(data, size), &identity, NULL);
    return 0;
}
