/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From root to the user of `run_as` (push-agent §4.2), once everything that needs root is open. The
 * service is not even started as root: it begins as keylime:tss with the one capability that reads
 * what others may not, and gives that up here.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Process limits that hold for any user: umask 077, no new privileges, no core dumps. */
void privileges_restrict(void);

/*
 * As root: give up the bounding and ambient capabilities and become the user and group of `run_as`
 * ("user:group"; NULL = keylime:tss), with the user's supplementary groups, and prove that there is
 * no way back; "" stays root with a warning. Not as root: the user stays, with a WARNING when
 * `run_as` names another one, and all capabilities are given up.
 * False: G_SPAWN_ERROR with the remedy.
 */
bool privileges_drop(const char *run_as, GError **error);
