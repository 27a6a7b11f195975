/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is logged, in which form and where: logging.conf of the servers and the tenant
 * (configuration-and-operations §7.1), RUST_LOG of the agent (push-agent §12, contract U10).
 */
#pragma once

#include "config/config.h"

/*
 * Read logging.conf (or what KEYLIME_LOGGING_CONFIG names) and open the log. Without such a file:
 * INFO on the stream `usual`, as text with time stamps, or in the journal's form when the stream is
 * the journal. Call it before threads start. False: the configuration is unusable.
 *
 * `results`: standard output belongs to a program's results; a handler of it writes to standard
 * error instead.
 */
bool logging_start(int usual, bool results, GError **error);
/* logging.conf as config_examine() shows it; the log stays as it is. */
Config *logging_examine(GError **error);
/* Take over changed levels, and open files anew (SIGHUP). False: what could be taken over is, the
 * rest goes on as it was. */
bool logging_reload(GError **error);
/* Of the usual sections, for the example file. */
const ConfigSchema *logging_schema(void);

/*
 * The agent's: RUST_LOG as `level` or `target=level,...` for the targets of upstream's agents, INFO
 * when unset; KEYLIME_LOGGING_FORMAT=json for JSON lines; standard error.
 */
bool logging_start_agent(GError **error);
