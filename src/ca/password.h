/* SPDX-License-Identifier: Apache-2.0 */
/* The password of the key store, from the configuration or from the person at the terminal. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * *out is a new secret (secret_free_text): `configured`, unless that is empty or "default"; then a
 * line from the terminal, not shown, or from standard input. An empty answer is CA_ERROR_REFUSED.
 */
bool password_for_keystore(const char *configured, char **out, GError **error);
