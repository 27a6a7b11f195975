/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/state.h"

#include <glib.h>

static const Transition table[STATE_COUNT][EVENT_COUNT] = {
    [STATE_UNREGISTERED] =
        {
            [EVENT_DONE] = {STATE_REGISTERED, PAUSE_NONE},
            [EVENT_FAILED] = {STATE_REGISTRATION_FAILED, PAUSE_FAILURE},
            [EVENT_UNAUTHORISED] = {STATE_REGISTRATION_FAILED, PAUSE_FAILURE},
            [EVENT_UNKNOWN_HERE] = {STATE_REGISTRATION_FAILED, PAUSE_FAILURE},
            [EVENT_REGISTER] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
    [STATE_REGISTERED] =
        {
            [EVENT_DONE] = {STATE_NEGOTIATING, PAUSE_NONE},
            [EVENT_FAILED] = {STATE_REGISTRATION_FAILED, PAUSE_FAILURE},
            [EVENT_UNAUTHORISED] = {STATE_NEGOTIATING, PAUSE_NONE},
            [EVENT_UNKNOWN_HERE] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_REGISTER] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
    [STATE_NEGOTIATING] =
        {
            [EVENT_DONE] = {STATE_ATTESTING, PAUSE_NONE},
            [EVENT_FAILED] = {STATE_ATTESTATION_FAILED, PAUSE_FAILURE},
            [EVENT_UNAUTHORISED] = {STATE_NEGOTIATING, PAUSE_UNAUTHORISED},
            [EVENT_UNKNOWN_HERE] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_REGISTER] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
    [STATE_ATTESTING] =
        {
            [EVENT_DONE] = {STATE_NEGOTIATING, PAUSE_PACE},
            [EVENT_FAILED] = {STATE_ATTESTATION_FAILED, PAUSE_FAILURE},
            [EVENT_UNAUTHORISED] = {STATE_NEGOTIATING, PAUSE_UNAUTHORISED},
            [EVENT_UNKNOWN_HERE] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_REGISTER] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
    [STATE_REGISTRATION_FAILED] =
        {
            [EVENT_DONE] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FAILED] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_UNAUTHORISED] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_UNKNOWN_HERE] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_REGISTER] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
    [STATE_ATTESTATION_FAILED] =
        {
            [EVENT_DONE] = {STATE_NEGOTIATING, PAUSE_NONE},
            [EVENT_FAILED] = {STATE_NEGOTIATING, PAUSE_NONE},
            [EVENT_UNAUTHORISED] = {STATE_NEGOTIATING, PAUSE_NONE},
            [EVENT_UNKNOWN_HERE] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_REGISTER] = {STATE_UNREGISTERED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
    [STATE_FAILED] =
        {
            [EVENT_DONE] = {STATE_FAILED, PAUSE_NONE},
            [EVENT_FAILED] = {STATE_FAILED, PAUSE_NONE},
            [EVENT_UNAUTHORISED] = {STATE_FAILED, PAUSE_NONE},
            [EVENT_UNKNOWN_HERE] = {STATE_FAILED, PAUSE_NONE},
            [EVENT_REGISTER] = {STATE_FAILED, PAUSE_NONE},
            [EVENT_FATAL] = {STATE_FAILED, PAUSE_NONE},
        },
};

Transition state_next(State state, Event event)
{
    g_assert((unsigned)state < STATE_COUNT && (unsigned)event < EVENT_COUNT);
    return table[state][event];
}

const char *state_name(State state)
{
    static const char *const names[STATE_COUNT] = {
        [STATE_UNREGISTERED] = "Unregistered",
        [STATE_REGISTERED] = "Registered",
        [STATE_NEGOTIATING] = "Negotiating",
        [STATE_ATTESTING] = "Attesting",
        [STATE_REGISTRATION_FAILED] = "RegistrationFailed",
        [STATE_ATTESTATION_FAILED] = "AttestationFailed",
        [STATE_FAILED] = "Failed",
    };
    g_assert((unsigned)state < STATE_COUNT);
    return names[state];
}
