/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/status_report.h"

#include "agent/message_attestation.h"
#include "base/log.h"

#include <string.h>

void status_report_clear(StatusReport *report)
{
    g_clear_pointer(&report->last, g_free);
}

static void take_status(StatusReport *report, const char *status, const char *agent_id)
{
    if (!status || g_strcmp0(status, report->last) == 0)
        return;
    bool first = report->last == NULL;
    bool bad = strcmp(status, "FAIL") == 0 || strcmp(status, "TIMEOUT") == 0;
    g_free(report->last);
    report->last = g_strdup(status);
    if (bad)
        log_warning(
            "Verifier reports %s for this agent: keylime_tenant -c cvstatus -u %s tells why",
            status, agent_id);
    else if (!first)
        log_warning("Verifier reports %s for this agent", status);
    else
        log_info("Verifier reports %s for this agent", status);
}

void status_report_after_cycle(StatusReport *report, Peer *verifier, const Url *url,
                               const char *agent_id, const char *token)
{
    /* The second cycle already knows the verdict of the first. */
    if (report->cycles++ % STATUS_REPORT_CYCLES != 1)
        return;
    g_autofree char *segment = http_encode_segment(agent_id);
    g_autofree char *target = url_join(url, "/v2.6/agents/%s", segment);
    PeerRequest request = {
        .method = "GET", .url = target, .accept = "application/json", .token = token, .once = true};
    g_autoptr(HttpAnswer) answer = peer_send(verifier, &request, NULL);
    if (!answer || answer->status != 200)
        return;
    g_autoptr(Json) body = http_answer_json(answer);
    take_status(report, own_status_read(body), agent_id);
}
