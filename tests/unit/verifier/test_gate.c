/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the gates and their times (verifier-push-api §5.2, §5.5; decisions D65, D68, D80,
 * D82; contract C18, C21, U24). */
#include "verifier/attestation/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND TIMESTAMP_SECOND
#define NOW (G_GINT64_CONSTANT(1800000000) * SECOND)

static const VerifierSettings settings = {.quote_interval = 2 * SECOND};

static void expect_create(const AgentRecord *agent, const AttestationRecord *latest,
                          unsigned status, guint64 retry_after, bool prolongs)
{
    g_auto(Gate) gate;
    gate_create("a", agent, latest, &settings, NOW, &gate);
    assert_int_equal(gate.status, status);
    assert_int_equal(gate.retry_after, retry_after);
    assert_int_equal(gate.prolongs, prolongs);
}

static void creation_needs_an_agent_that_is_not_stopped(void **state)
{
    AgentRecord agent = {.operational_state = AGENT_STATE_ACTIVE};
    expect_create(NULL, NULL, 404, 0, false);
    expect_create(&agent, NULL, 0, 0, false);
    agent.operational_state = AGENT_STATE_STOPPED;
    agent.last_received_quote = NOW;
    expect_create(&agent, NULL, 403, 0, false);
}

static void creation_waits_for_the_verdict(void **state)
{
    AgentRecord agent = {.operational_state = AGENT_STATE_ACTIVE, .last_received_quote = NOW};
    AttestationRecord latest = {.stage = STAGE_EVALUATING_EVIDENCE, .evidence_received_at = NOW};
    expect_create(&agent, &latest, 503, 1, true);
    latest.evidence_received_at = NOW - 4 * SECOND;
    expect_create(&agent, &latest, 503, 4, true);
    latest.evidence_received_at = NOW - 400 * SECOND;
    expect_create(&agent, &latest, 503, 10, true);
    latest.evidence_received_at = NOW + 400 * SECOND;
    expect_create(&agent, &latest, 503, 1, true);
}

static void creation_keeps_the_pace(void **state)
{
    static const struct {
        Timestamp ago;
        guint64 wait; /* 0 = accepted */
    } rows[] = {
        {0, 2},
        {SECOND / 2, 2},
        {SECOND, 1},
        {SECOND * 3 / 2 - 1, 1},
        {SECOND * 3 / 2, 0},
        {2 * SECOND, 0},
        {100 * SECOND, 0},
        {-SECOND, 2}, /* another replica's clock */
        {-2 * SECOND, 2},
        {-2 * SECOND - 1, 0}, /* the clock was set back: nobody waits until it has caught up */
        {-100 * SECOND, 0},
    };
    AttestationRecord latest = {.stage = STAGE_VERIFICATION_COMPLETE};
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        AgentRecord agent = {.operational_state = AGENT_STATE_ACTIVE,
                             .last_received_quote = NOW - rows[i].ago};
        expect_create(&agent, &latest, rows[i].wait ? 429 : 0, rows[i].wait, rows[i].wait > 0);
    }
}

static void unanswered_creations_are_bounded(void **state)
{
    AttestationRecord latest = {.stage = STAGE_AWAITING_EVIDENCE};
    AgentRecord agent = {.operational_state = AGENT_STATE_ACTIVE,
                         .unanswered_since = NOW - 20 * SECOND,
                         .unanswered_count = UNANSWERED_LIMIT - 1};
    expect_create(&agent, &latest, 0, 0, false);
    agent.unanswered_count = UNANSWERED_LIMIT;
    expect_create(&agent, &latest, 429, 40, false); /* it may not prolong its own deadline */
    agent.unanswered_since = NOW - 60 * SECOND;
    expect_create(&agent, &latest, 0, 0, false);
    agent.unanswered_since = NOW + 60 * SECOND; /* the clock was set back */
    expect_create(&agent, &latest, 0, 0, false);
}

static void next_attestation_is_told_in_whole_seconds(void **state)
{
    assert_int_equal(gate_seconds_to_next(0, 2 * SECOND, NOW), 0);
    assert_int_equal(gate_seconds_to_next(NOW, 2 * SECOND, NOW), 2);
    assert_int_equal(gate_seconds_to_next(NOW, 2 * SECOND, NOW + 1), 2);
    assert_int_equal(gate_seconds_to_next(NOW, 2 * SECOND + 1, NOW), 3);
    assert_int_equal(gate_seconds_to_next(NOW, SECOND / 2, NOW), 1);
    assert_int_equal(gate_seconds_to_next(NOW, 2 * SECOND, NOW + 9 * SECOND), 1);
    assert_int_equal(gate_seconds_to_next(NOW + 9 * SECOND, 2 * SECOND, NOW), 2);
}

static void expect_submit(const AgentRecord *agent, const AttestationRecord *latest,
                          const char *index, const char *code)
{
    g_auto(Gate) gate;
    gate_submit("a", agent, latest, index, NOW, &gate);
    if (code)
        assert_string_equal(gate.code, code);
    assert_int_equal(gate.status != 0, code != NULL);
    assert_int_equal(gate.retry_after, 0);
}

static void evidence_is_for_the_latest_and_once(void **state)
{
    AgentRecord agent = {.operational_state = AGENT_STATE_ACTIVE};
    AttestationRecord latest = {
        .index = 7, .capabilities_received_at = NOW - SECOND, .challenges_expire_at = NOW + 1};
    expect_submit(NULL, NULL, "7", "not_found");
    expect_submit(&agent, NULL, "7", "not_found");
    expect_submit(&agent, NULL, NULL, "not_found");
    expect_submit(&agent, &latest, "7", NULL);
    expect_submit(&agent, &latest, NULL, NULL);
    expect_submit(&agent, &latest, "07", "old_attestation");
    expect_submit(&agent, &latest, "6", "old_attestation");
    expect_submit(&agent, &latest, "8", "old_attestation");
    latest.challenges_expire_at = NOW;
    expect_submit(&agent, &latest, "7", "challenges_expired");
    latest.capabilities_received_at = NOW + 10 * SECOND;
    latest.challenges_expire_at = NOW + 20 * SECOND;
    expect_submit(&agent, &latest, "7", NULL);
    latest.capabilities_received_at++; /* the clock was set back */
    latest.challenges_expire_at++;
    expect_submit(&agent, &latest, "7", "challenges_expired");
    latest.stage = STAGE_EVALUATING_EVIDENCE;
    expect_submit(&agent, &latest, "7", "evidence_immutable");
    latest.stage = STAGE_VERIFICATION_COMPLETE;
    expect_submit(&agent, &latest, NULL, "evidence_immutable");
    agent.operational_state = AGENT_STATE_STOPPED;
    expect_submit(&agent, &latest, NULL, "agent_attestations_disabled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_needs_an_agent_that_is_not_stopped),
        cmocka_unit_test(creation_waits_for_the_verdict),
        cmocka_unit_test(creation_keeps_the_pace),
        cmocka_unit_test(unanswered_creations_are_bounded),
        cmocka_unit_test(next_attestation_is_told_in_whole_seconds),
        cmocka_unit_test(evidence_is_for_the_latest_and_once),
    };
    return cmocka_run_group_tests_name("verifier gates", tests, NULL, NULL);
}
