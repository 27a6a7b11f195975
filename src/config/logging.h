/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much is logged, in which form and where: logging.conf of the servers and the tenant
 * (configuration-and-operations §7.1), RUST_LOG of the agent (push-agent §12, contract U10).
 */
#pragma once

#include "config/config.h"

/*
 * Read logging.conf (or KEYLIME_LOGGING_CONFIG) and open the log. Without such a file: INFO, as
 * text with time stamps, or in the journal's form when the stream is the journal; on standard
 * error, the tenant's on standard output. Call it before threads start. False: the configuration is
 * unusable.
 *
 * From the file count the levels of the loggers `keylime` and `root` and of the console handler,
 * which stream it writes to, and our own `[logging] format = json`. Anything else that differs from
 * the shipped file gets a WARNING.
 */
bool logging_start(const char *component, GError **error);
/* logging.conf as config_examine() shows it; the log stays as it is. */
Config *logging_examine(GError **error);
/* Take over a changed level (SIGHUP); the log stays open. False: the old level goes on. */
bool logging_reload(const char *component, GError **error);

/*
 * The agent's: RUST_LOG as `level` or `target=level,...` for the targets of upstream's agents, INFO
 * when unset; KEYLIME_LOGGING_FORMAT=json for JSON lines; standard error.
 */
bool logging_start_agent(GError **error);
