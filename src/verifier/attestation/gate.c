/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/gate.h"

#include <string.h>

/* Retry-After of an attestation that is being verified (decision D68). */
#define VERIFICATION_RETRY_MAX 10

void gate_clear(Gate *gate)
{
    g_clear_pointer(&gate->detail, g_free);
}

static void shut(Gate *out, unsigned status, const char *code, guint64 retry_after,
                 const char *format, ...) G_GNUC_PRINTF(5, 6);

static void shut(Gate *out, unsigned status, const char *code, guint64 retry_after,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    *out = (Gate){status, code, g_strdup_vprintf(format, arguments), retry_after, false};
    va_end(arguments);
}

static gint64 seconds_up(Timestamp span)
{
    return (span + TIMESTAMP_SECOND - 1) / TIMESTAMP_SECOND;
}

/* What lies further ahead than it could: the clock was set back since, and says nothing about how
 * long ago it was. A little ahead may be the clock of another replica. */
static bool is_of_the_future(Timestamp time, Timestamp span, Timestamp now)
{
    return time - now > span;
}

gint64 gate_seconds_to_next(Timestamp received, Timestamp interval, Timestamp now)
{
    if (received == 0)
        return 0;
    /* A clock that was set back must not make the agent wait for longer than the interval. */
    Timestamp rest = CLAMP(received + interval - now, 0, interval);
    return MAX(1, seconds_up(rest));
}

static bool is_stopped(const char *agent_id, const AgentRecord *agent, Gate *out)
{
    if (agent->operational_state != AGENT_STATE_STOPPED)
        return false;
    shut(out, 403, "agent_attestations_disabled", 0,
         "Attestations of agent '%s' were stopped by an operator. They go on after the tenant's"
         " command reactivate.",
         agent_id);
    return true;
}

static void check_pace(const char *agent_id, const AgentRecord *agent,
                       const VerifierSettings *settings, Timestamp now, Gate *out)
{
    Timestamp received = agent->last_received_quote;
    Timestamp rest = MIN(received + settings->quote_interval - now, settings->quote_interval);
    if (received != 0 && rest > PREMATURE_TOLERANCE &&
        !is_of_the_future(received, settings->quote_interval, now)) {
        gint64 wait = gate_seconds_to_next(received, settings->quote_interval, now);
        shut(out, 429, "premature_attestation", (guint64)wait,
             "Cannot create attestation for agent '%s' before the configured interval has elapsed."
             " Wait %" G_GINT64_FORMAT " seconds before trying again.",
             agent_id, wait);
        out->prolongs = true;
        return;
    }
    Timestamp window_end = agent->unanswered_since + UNANSWERED_WINDOW;
    if (agent->unanswered_count >= UNANSWERED_LIMIT && now < window_end &&
        now >= agent->unanswered_since) {
        gint64 wait = MAX(1, seconds_up(window_end - now));
        shut(out, 429, "premature_attestation", (guint64)wait,
             "Cannot create attestation for agent '%s': %d attestations were created within a"
             " minute and none received evidence. Wait %" G_GINT64_FORMAT
             " seconds before trying again.",
             agent_id, UNANSWERED_LIMIT, wait);
    }
}

void gate_create(const char *agent_id, const AgentRecord *agent, const AttestationRecord *latest,
                 const VerifierSettings *settings, Timestamp now, Gate *out)
{
    *out = (Gate){0};
    if (!agent) {
        shut(out, 404, "not_found", 0, "No enrolled agent with ID '%s'.", agent_id);
        return;
    }
    if (is_stopped(agent_id, agent, out))
        return;
    if (latest && latest->stage == STAGE_EVALUATING_EVIDENCE) {
        /* Most appraisals take milliseconds; the longer one has lasted the less often to ask. */
        gint64 wait = CLAMP((now - latest->evidence_received_at) / TIMESTAMP_SECOND, 1,
                            VERIFICATION_RETRY_MAX);
        shut(out, 503, "verification_in_progress", (guint64)wait,
             "Cannot create attestation for agent '%s' while the last attestation is still being"
             " verified. Wait %" G_GINT64_FORMAT " seconds before trying again.",
             agent_id, wait);
        out->prolongs = true;
        return;
    }
    check_pace(agent_id, agent, settings, now, out);
}

static bool is_index(const char *text, gint64 index)
{
    g_autofree char *expected = g_strdup_printf("%" G_GINT64_FORMAT, index);
    return strcmp(text, expected) == 0;
}

/* Issued by a clock that was set back since, they could live for ever. */
static bool challenges_are_over(const AttestationRecord *latest, Timestamp now)
{
    Timestamp lifetime = latest->challenges_expire_at - latest->capabilities_received_at;
    return now >= latest->challenges_expire_at ||
           is_of_the_future(latest->capabilities_received_at, lifetime, now);
}

void gate_submit(const char *agent_id, const AgentRecord *agent, const AttestationRecord *latest,
                 const char *index, Timestamp now, Gate *out)
{
    *out = (Gate){0};
    if (!agent) {
        shut(out, 404, "not_found", 0, "No enrolled agent with ID '%s'.", agent_id);
    } else if (!latest && index) {
        shut(out, 404, "not_found", 0, "No attestation %s exists for agent '%s'.", index, agent_id);
    } else if (!latest) {
        shut(out, 404, "not_found", 0, "No attestation exists for agent '%s'.", agent_id);
    } else if (is_stopped(agent_id, agent, out)) {
        return;
    } else if (index && !is_index(index, latest->index)) {
        shut(out, 403, "old_attestation", 0,
             "Attestation %s is not the latest attestation of agent '%s' (%" G_GINT64_FORMAT
             " is): only evidence for the latest is accepted.",
             index, agent_id, latest->index);
    } else if (latest->stage != STAGE_AWAITING_EVIDENCE) {
        shut(out, 403, "evidence_immutable", 0,
             "Evidence for attestation %" G_GINT64_FORMAT " of agent '%s' was already received.",
             latest->index, agent_id);
    } else if (challenges_are_over(latest, now)) {
        g_autofree char *expiry = timestamp_format(latest->challenges_expire_at);
        shut(out, 403, "challenges_expired", 0,
             "Challenges for attestation %" G_GINT64_FORMAT
             " expired at %s. Create a new attestation and try again.",
             latest->index, expiry);
    }
}

void gate_answer(const Gate *gate, const HttpRequest *request, HttpResponse *response)
{
    envelope_error(response, request, gate->status, gate->code, "%s", gate->detail);
    if (gate->retry_after > 0)
        http_response_retry_after(response, gate->retry_after);
}
