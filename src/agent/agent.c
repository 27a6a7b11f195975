/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/agent.h"

#include "agent/agent_id.h"
#include "agent/boot_time.h"
#include "agent/pace.h"
#include "agent/registration.h"
#include "agent/resident.h"
#include "base/log.h"

#include <systemd/sd-daemon.h>

/* Register again after this many answers "not enrolled" in a row (D90). */
#define NOT_ENROLLED_LIMIT 3
/* Rounds of 403 before the agent gives up (decision D93). */
#define FORBIDDEN_LIMIT 10
/* A TPM may take that long for its keys, at the first start above all. */
#define OPENING_SECONDS 300
/* Intervals that a lost TPM may stay away (contract C115b). */
#define TPM_LOST_INTERVALS 10

void agent_open_files(Agent *agent)
{
    agent->machine_uuid = agent_id_machine_uuid(agent->settings);
    agent->ima_log = measurement_list_open(agent->settings->ima_log_path);
    firmware_log_read(agent->settings->uefi_log_path, &agent->uefi_log);
}

bool agent_open(Agent *agent, GError **error)
{
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%d000000\nSTATUS=Opening the TPM", OPENING_SECONDS);
    if (!attester_open(&agent->attester, agent->settings, error))
        return false;
    agent->id = agent_id_determine(agent->settings, agent->machine_uuid, agent->attester.ek, error);
    if (!agent->id || !attester_load_ak(&agent->attester, agent->settings, agent->id, error))
        return false;
    agent->attestation = (Attestation){
        .verifier = &agent->verifier,
        .attester = &agent->attester,
        .ima_log = agent->ima_log,
        .uefi_log = &agent->uefi_log,
        .settings = agent->settings,
        .agent_id = agent->id,
        .boot_time = boot_time_determine(agent->settings->keylime_dir),
    };
    agent->directive = -1;
    return true;
}

void agent_close(Agent *agent)
{
    attestation_clear(&agent->attestation);
    status_report_clear(&agent->report);
    attester_close(&agent->attester);
    g_clear_pointer(&agent->ima_log, measurement_list_free);
    firmware_log_clear(&agent->uefi_log);
    peer_close(&agent->verifier);
    peer_close(&agent->registrar);
    g_clear_pointer(&agent->machine_uuid, g_free);
    g_clear_pointer(&agent->id, g_free);
    g_clear_error(&agent->failure);
}

/* --- the TPM may go and come back
 * ------------------------------------------------------------------- */

static void note_tpm_error(Agent *agent)
{
    if (agent->failure && agent->failure->domain == TPM_DEVICE_ERROR && agent->tpm_lost_since == 0)
        agent->tpm_lost_since = g_get_monotonic_time();
}

/* False: it is still away; *fatal when it has been for too long. */
static bool tpm_is_there(Agent *agent, bool *fatal)
{
    *fatal = false;
    if (agent->tpm_lost_since == 0)
        return true;
    if (attester_reopen(&agent->attester, agent->settings, agent->id, &agent->failure)) {
        agent->tpm_lost_since = 0;
        return true;
    }
    gint64 away = g_get_monotonic_time() - agent->tpm_lost_since;
    *fatal = away > TPM_LOST_INTERVALS * agent->settings->interval * G_TIME_SPAN_SECOND;
    return false;
}

/* --- work of the states
 * ----------------------------------------------------------------------------- */

static bool is_protocol(const GError *error, ProtocolError code)
{
    return g_error_matches(error, PROTOCOL_ERROR, (int)code);
}

/* A signal ended the work: no failure, and the loop asks the waiter what to do. */
static bool was_cancelled(const Agent *agent)
{
    return g_error_matches(agent->failure, PEER_ERROR, PEER_ERROR_CANCELLED);
}

static Event registration_failed(Agent *agent)
{
    if (was_cancelled(agent))
        return EVENT_FAILED;
    agent->failures_in_row++;
    log_error("Registration failed: %s", agent->failure->message);
    agent->forbidden_rounds =
        is_protocol(agent->failure, PROTOCOL_ERROR_FORBIDDEN) ? agent->forbidden_rounds + 1 : 0;
    return agent->forbidden_rounds >= FORBIDDEN_LIMIT ? EVENT_FATAL : EVENT_FAILED;
}

static Event register_agent(Agent *agent)
{
    agent->last_registration = g_get_monotonic_time();
    if (!registration_run(&agent->registrar, &agent->attester, agent->settings, agent->id,
                          &agent->failure))
        return registration_failed(agent);
    agent->forbidden_rounds = 0;
    agent->not_enrolled_in_row = 0;
    return EVENT_DONE;
}

/* Not more often than the longest delay between two tries: by default D90's 300 s. */
static bool may_register_again(const Agent *agent)
{
    gint64 since = g_get_monotonic_time() - agent->last_registration;
    return agent->not_enrolled_in_row >= NOT_ENROLLED_LIMIT &&
           since > agent->settings->backoff.cap_ms * 1000;
}

static Event attestation_failed(Agent *agent)
{
    if (was_cancelled(agent))
        return EVENT_FAILED;
    agent->verifier.quick_retry_ms = 0;
    if (is_protocol(agent->failure, PROTOCOL_ERROR_UNAUTHORISED)) {
        agent->unauthorised_in_row++;
        log_info("Received 401 Unauthorized, retrying immediately to re-authenticate");
        return EVENT_UNAUTHORISED;
    }
    log_error("Attestation failed: %s", agent->failure->message);
    agent->failures_in_row++;
    agent->not_enrolled_in_row = is_protocol(agent->failure, PROTOCOL_ERROR_NOT_ENROLLED)
                                     ? agent->not_enrolled_in_row + 1
                                     : 0;
    if (!may_register_again(agent))
        return EVENT_FAILED;
    log_info("Registering again: the verifier has not known this agent for a while");
    return EVENT_UNKNOWN_HERE;
}

static Event negotiate(Agent *agent)
{
    if (!attestation_negotiate(&agent->attestation, &agent->failure))
        return attestation_failed(agent);
    agent->not_enrolled_in_row = 0;
    return EVENT_DONE;
}

static Event attest(Agent *agent)
{
    if (!attestation_submit(&agent->attestation, &agent->directive, &agent->failure))
        return attestation_failed(agent);
    agent->failures_in_row = 0;
    agent->unauthorised_in_row = 0;
    if (agent->settings->report_status)
        status_report_after_cycle(&agent->report, &agent->verifier, &agent->settings->verifier,
                                  agent->id, agent->attestation.token);
    return EVENT_DONE;
}

static Event work(Agent *agent, State state)
{
    bool fatal = false;
    g_clear_error(&agent->failure);
    bool needs_tpm =
        state == STATE_UNREGISTERED || state == STATE_NEGOTIATING || state == STATE_ATTESTING;
    if (needs_tpm && !tpm_is_there(agent, &fatal)) {
        log_error("%s failed: %s", state == STATE_UNREGISTERED ? "Registration" : "Attestation",
                  agent->failure->message);
        return fatal ? EVENT_FATAL : EVENT_FAILED;
    }
    switch (state) {
    case STATE_UNREGISTERED:
        return register_agent(agent);
    case STATE_NEGOTIATING:
        return negotiate(agent);
    case STATE_ATTESTING:
        return attest(agent);
    case STATE_REGISTERED:
    case STATE_REGISTRATION_FAILED:
    case STATE_ATTESTATION_FAILED:
    case STATE_FAILED:
        return EVENT_DONE;
    }
    g_assert_not_reached();
}

/* --- waiting
 * ---------------------------------------------------------------------------------------- */

static gint64 pace_pause(Agent *agent)
{
    resident_trim();
    Pace pace = pace_after_success(agent->settings->interval, agent->directive);
    if (pace.interval_too_long && !agent->warned_of_interval) {
        log_warning(
            "attestation_interval_seconds = %" G_GINT64_FORMAT " is not below the verifier's limit "
            "of %" G_GINT64_FORMAT
            " s (%d times its quote_interval): attesting every %" G_GINT64_FORMAT
            " s instead; raise quote_interval at the verifier for a slower pace",
            agent->settings->interval, LATE_INTERVALS * pace.seconds, LATE_INTERVALS, pace.seconds);
        agent->warned_of_interval = true;
    }
    agent->last_pace = pace.seconds;
    agent->verifier.quick_retry_ms = pace.seconds * 1000;
    log_info("Waiting %" G_GINT64_FORMAT " seconds before next attestation...", pace.seconds);
    return pace.seconds * 1000;
}

static gint64 failure_pause(Agent *agent)
{
    gint64 pause = pace_after_failure(agent->settings->interval, agent->settings->backoff.cap_ms,
                                      agent->last_pace, agent->failures_in_row);
    log_info("Trying again in %.1f seconds", (double)pause / 1000.0);
    return pause;
}

static gint64 unauthorised_pause(Agent *agent)
{
    gint64 pause = pace_after_unauthorised(agent->settings->interval, agent->unauthorised_in_row);
    if (pause > 0)
        log_info("Refused %u times in a row: authenticating again in %.1f seconds",
                 agent->unauthorised_in_row, (double)pause / 1000.0);
    return pause;
}

/* False when a signal came. */
static bool pause_for(Agent *agent, Pause pause)
{
    switch (pause) {
    case PAUSE_NONE:
        return waiter_is_quiet(agent->waiter);
    case PAUSE_PACE: {
        bool whole = waiter_sleep(agent->waiter, pace_pause(agent));
        if (whole)
            log_info("Moving back to negotiation state");
        return whole;
    }
    case PAUSE_FAILURE:
        return waiter_sleep(agent->waiter, failure_pause(agent));
    case PAUSE_UNAUTHORISED:
        return waiter_sleep(agent->waiter, unauthorised_pause(agent));
    }
    g_assert_not_reached();
}

/* --- the loop
 * --------------------------------------------------------------------------------------- */

static void show(const Agent *agent, State from, State to)
{
    log_info("State: %s -> %s", state_name(from), state_name(to));
    sd_notifyf(0, "STATUS=%s; agent %s, verifier %s", state_name(to), agent->id,
               agent->settings->verifier.origin);
}

static State enter(const Agent *agent, State from, State to)
{
    /* Nothing happens between these two on its own, but a reader of the log sees each change. */
    show(agent, from, to);
    return to;
}

int agent_run(Agent *agent)
{
    State state = STATE_UNREGISTERED;
    sd_notifyf(0, "READY=1\nSTATUS=%s; agent %s, verifier %s", state_name(state), agent->id,
               agent->settings->verifier.origin);
    while (state != STATE_FAILED) {
        waiter_show_life(agent->waiter);
        Event event = work(agent, state);
        note_tpm_error(agent);
        Transition next = state_next(state, event);
        if (waiter_is_quiet(agent->waiter)) {
            state = enter(agent, state, next.state);
            if (pause_for(agent, next.pause))
                continue;
        }
        if (waiter_stop_requested(agent->waiter)) {
            sd_notify(0, "STOPPING=1");
            log_info("Stopping");
            return 0;
        }
        if (waiter_take_reload(agent->waiter)) {
            log_info("SIGHUP: registering again");
            state = enter(agent, state, state_next(state, EVENT_REGISTER).state);
        }
    }
    log_error("Unrecoverable error: %s. Exiting state machine.",
              agent->failure ? agent->failure->message : "unknown");
    return 1;
}
