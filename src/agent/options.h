/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's option table: `/etc/keylime/agent.conf` [agent], KEYLIME_AGENT_<OPTION>, flags
 * (push-agent §2, §3; contract C36-C62; decision D86).
 */
#pragma once

#include "config/option.h"

extern const ConfigSchema agent_schema;

/* The identifier that upstream's shipped file gives to every installation (decision D91). */
#define SHARED_DEFAULT_UUID "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
