/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Automatic release of OpenSSL's objects, for the .c files of this floor only.
 */
#pragma once

#include "tpm/openssl.h"

#include <openssl/x509v3.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
