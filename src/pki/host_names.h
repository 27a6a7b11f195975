/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names under which peers may call this machine's server: subject alternative names of a
 * generated certificate (configuration-and-operations §10.4, contract C99).
 */
#pragma once

#include <glib.h>

/*
 * `localhost`, host name, FQDN, 127.0.0.1, ::1, the bind address unless it means "any", and `extra`
 * (comma-separated names and addresses). Each list is sorted, without doubles, NULL-terminated and
 * newly allocated (g_strfreev).
 */
void host_names(const char *bind_address, const char *extra, char ***dns, char ***ip);
