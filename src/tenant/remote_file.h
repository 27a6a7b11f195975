/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that options name: on this machine, or behind a URL (tenant-and-management-api §2.3). The
 * errors name the option.
 */
#pragma once

#include "tenant/commands.h"

/* Whole content; new reference. */
GBytes *local_file(const char *option, const char *path, GError **error);

/*
 * What `url` (http or https) answers with 200, at most `most` bytes; redirections are not followed.
 * A server of https must have a certificate for its name by an authority that this machine trusts
 * (http_client_system_ca_file()). New reference.
 */
GBytes *remote_file(const Tenant *tenant, const char *option, const char *url, size_t most,
                    GError **error);
