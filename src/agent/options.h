/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's option table: `/etc/keylime/agent.conf` [agent], KEYLIME_AGENT_<OPTION>, flags
 * (push-agent §2, §3; contract C36-C62; decision D86).
 */
#pragma once

#include "config/option.h"

#include <stdint.h>

extern const ConfigSchema agent_schema;

/* A TPM's persistent handle, hexadecimal with or without 0x; "generate" and "" = 0. */
bool options_read_handle(const char *text, uint32_t *out);
/* A TPM's password: text, or "hex:" and digits. NULL in *out for the empty one; wiped with the last
 * reference. */
bool options_read_password(const char *text, GBytes **out);

/* The identifier that upstream's shipped file gives to every installation (decision D91). */
#define SHARED_DEFAULT_UUID "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
