/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's certificate over the months that the server runs (decision D114, contract U6, U23):
 * what is due is renewed, and files that somebody else replaced are taken over, without a restart.
 */
#pragma once

#include "pki/tls.h"

typedef struct TlsWatch TlsWatch;

/* Finds the files of `component` (tls_server_files(), which may wait for them). Borrows `config`.
 */
TlsWatch *tls_watch_new(const Config *config, const char *component, GError **error);
void tls_watch_free(TlsWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsWatch, tls_watch_free)

/* Renew what is due, find the files again without waiting, and load them. New reference. */
SSL_CTX *tls_watch_load(TlsWatch *watch, GError **error);
/* Renew what is due; whether the files differ from those that were loaded last, or a day has
 * passed, so that an end that is near is told again. */
bool tls_watch_is_due(TlsWatch *watch);
/* Seconds until tls_watch_is_due() should be asked again: an hour, less where the certificate's
 * life is short. */
unsigned tls_watch_seconds(const TlsWatch *watch);
