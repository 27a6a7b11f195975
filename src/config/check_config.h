/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --check-config: what a program would run with and where each value comes from, and everything
 * that it would refuse to start with. Opens no socket and no TPM, and writes nothing.
 */
#pragma once

#include "config/config.h"

/*
 * The effective configuration on standard output, also beside problems; the problems on standard
 * error, one line each. A program with INI files shows logging.conf, too. `json`: one object for
 * programs instead, {"files": [config_to_json(), ...], "problems": ["...", ...]}.
 *
 * Returns the exit status: 0 usable, 1 not, 2 wrong command line. `called`: argv[0].
 */
int check_config(const ConfigSchema *schema, const ConfigOverride *overrides, bool json,
                 const char *called);

/* The problems of a configuration on standard error, a line each behind the program's name; returns
 * the exit status, 1 or 2. */
int check_config_complain(const GError *error, const char *called);
