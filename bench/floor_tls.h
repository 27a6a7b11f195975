/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server's TLS alone costs: the same OpenSSL, cipher suite and kind of key over a socket
 * pair, with the bytes of an exchange and nothing behind them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* CPU microseconds of the server's side of one request and its answer, system calls included. */
double floor_tls_exchange_us(guint64 request_bytes, guint64 answer_bytes);
/* CPU microseconds of the server's side of one full handshake (TLS 1.3, P-256 certificate). */
double floor_tls_handshake_us(void);
