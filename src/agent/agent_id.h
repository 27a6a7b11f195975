/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which id this agent goes by (push-agent §3.6, contract C44, decision D91).
 */
#pragma once

#include "agent/settings.h"
#include "tpm/public.h"

/* The UUID of the machine's firmware where `uuid = dmidecode` asks for it, which only root may
 * read; newly allocated, NULL where it does not or cannot be read. */
char *agent_id_machine_uuid(const AgentSettings *settings);

/*
 * The id of `settings` (--agent-identifier wins), newly allocated; `machine_uuid` is what the
 * function above gave. Logs how it came about, and a
 * change since the last start (C44d). NULL and an error that says what to do.
 */
char *agent_id_determine(const AgentSettings *settings, const char *machine_uuid,
                         const TpmPublic *ek, GError **error);
