/* SPDX-License-Identifier: Apache-2.0 */
/* The state table against push-agent §10 and contract C104. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/state.h"

#include <string.h>

typedef struct {
    State from;
    Event event;
    State to;
    Pause pause;
} Row;

static const Row rows[] = {
    {STATE_UNREGISTERED, EVENT_DONE, STATE_REGISTERED, PAUSE_NONE},
    {STATE_UNREGISTERED, EVENT_FAILED, STATE_REGISTRATION_FAILED, PAUSE_FAILURE},
    {STATE_UNREGISTERED, EVENT_FATAL, STATE_FAILED, PAUSE_NONE},
    {STATE_REGISTERED, EVENT_DONE, STATE_NEGOTIATING, PAUSE_NONE},
    {STATE_NEGOTIATING, EVENT_DONE, STATE_ATTESTING, PAUSE_NONE},
    {STATE_NEGOTIATING, EVENT_UNAUTHORISED, STATE_NEGOTIATING, PAUSE_UNAUTHORISED},
    {STATE_NEGOTIATING, EVENT_FAILED, STATE_ATTESTATION_FAILED, PAUSE_FAILURE},
    {STATE_NEGOTIATING, EVENT_UNKNOWN_HERE, STATE_UNREGISTERED, PAUSE_NONE},
    {STATE_ATTESTING, EVENT_DONE, STATE_NEGOTIATING, PAUSE_PACE},
    {STATE_ATTESTING, EVENT_UNAUTHORISED, STATE_NEGOTIATING, PAUSE_UNAUTHORISED},
    {STATE_ATTESTING, EVENT_FAILED, STATE_ATTESTATION_FAILED, PAUSE_FAILURE},
    {STATE_REGISTRATION_FAILED, EVENT_DONE, STATE_UNREGISTERED, PAUSE_NONE},
    {STATE_ATTESTATION_FAILED, EVENT_DONE, STATE_NEGOTIATING, PAUSE_NONE},
};

static void test_documented_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Transition next = state_next(rows[i].from, rows[i].event);
        assert_int_equal(next.state, rows[i].to);
        assert_int_equal(next.pause, rows[i].pause);
    }
}

/* A signal registers again from anywhere; only an operator's restart leaves Failed. */
static void test_signal_and_end(void **state)
{
    (void)state;
    for (int from = 0; from < STATE_COUNT; from++) {
        State expected = from == STATE_FAILED ? STATE_FAILED : STATE_UNREGISTERED;
        assert_int_equal(state_next((State)from, EVENT_REGISTER).state, expected);
        assert_int_equal(state_next((State)from, EVENT_FATAL).state, STATE_FAILED);
    }
    for (int event = 0; event < EVENT_COUNT; event++)
        assert_int_equal(state_next(STATE_FAILED, (Event)event).state, STATE_FAILED);
}

/* No chain of failures ever spins: every way back to work passes a pause. */
static void test_failures_always_wait(void **state)
{
    (void)state;
    const State working[] = {STATE_UNREGISTERED, STATE_NEGOTIATING, STATE_ATTESTING};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(state_next(working[i], EVENT_FAILED).pause, PAUSE_FAILURE);
        assert_int_not_equal(state_next(working[i], EVENT_UNAUTHORISED).pause, PAUSE_NONE);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"Unregistered", "Registered",         "Negotiating",
                                        "Attesting",    "RegistrationFailed", "AttestationFailed",
                                        "Failed"};
    for (int i = 0; i < STATE_COUNT; i++)
        assert_string_equal(state_name((State)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_rows),
        cmocka_unit_test(test_signal_and_end),
        cmocka_unit_test(test_failures_always_wait),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
