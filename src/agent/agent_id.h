/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which id this agent goes by (push-agent §3.6, contract C44, decision D91).
 */
#pragma once

#include "agent/settings.h"
#include "tpm/public.h"

/*
 * The id of `settings` (--agent-identifier wins), newly allocated. Logs how it came about, and a
 * change since the last start (C44d). NULL and an error that says what to do.
 */
char *agent_id_determine(const AgentSettings *settings, const TpmPublic *ek, GError **error);
