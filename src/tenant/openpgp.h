/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenPGP signatures by librnp: in memory, with no keys but the given ones. A build without the
 * library (option `openpgp`) refuses every signature and says so.
 */
#pragma once

#include "base/bytes.h"

/* As detached_signature_check(), for an OpenPGP key. */
bool openpgp_check(Bytes signer, Bytes signature, Bytes data, GError **error);
