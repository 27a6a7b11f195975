/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deprecated options --signature-verification-key and those beside it: keys that verify the
 * signatures of files, each with a signature of its own if one is given
 * (tenant-and-management-api §2.3, §2.4).
 */
#pragma once

#include "policy/ima_keyring.h"
#include "tenant/commands.h"

/* All keys in the order of the options, the downloaded ones last; empty when none is given. NULL
 * and an error when one cannot be had, is no key, or is not signed as the options say. */
ImaKeyring *ima_key_option_read(const Tenant *tenant, GError **error);
