/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's state machine as a table: (state, event) -> (state, pause). Pure; the driver acts
 * (push-agent §10, contract C104).
 */
#pragma once

#include <stdbool.h>

typedef enum {
    STATE_UNREGISTERED,
    STATE_REGISTERED,
    STATE_NEGOTIATING,
    STATE_ATTESTING,
    STATE_REGISTRATION_FAILED,
    STATE_ATTESTATION_FAILED,
    STATE_FAILED,
} State;
#define STATE_COUNT (STATE_FAILED + 1)

typedef enum {
    EVENT_DONE,         /* the state's work succeeded */
    EVENT_FAILED,       /* it did not; try again later */
    EVENT_UNAUTHORISED, /* answer 401 */
    EVENT_UNKNOWN_HERE, /* the verifier has not known this agent for a while: register again (D90)
                         */
    EVENT_REGISTER,     /* SIGHUP: register again */
    EVENT_FATAL,        /* nothing that waiting could mend */
} Event;
#define EVENT_COUNT (EVENT_FATAL + 1)

/* What to wait for before the next state's work. */
typedef enum {
    PAUSE_NONE,
    PAUSE_PACE,         /* the next cycle's time */
    PAUSE_FAILURE,      /* after a failure */
    PAUSE_UNAUTHORISED, /* spacing of 401 rounds */
} Pause;

typedef struct {
    State state;
    Pause pause;
} Transition;

/* Total: every pair has an entry. */
Transition state_next(State state, Event event);
const char *state_name(State state);
