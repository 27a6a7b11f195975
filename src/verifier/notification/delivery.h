/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings notifications from the outbox to their receivers: a thread for each destination, so that
 * one that is slow or away holds up nobody else. Nothing here is on an attestation's way.
 */
#pragma once

#include "verifier/verifier.h"

/* Opens what notifications leave by: NULL and an error when that cannot be used (CA files, keys, an
 * address that is taken). `verifier` must outlive it. Does nothing, and is not NULL, where no
 * notification leaves. */
Delivery *delivery_start(Verifier *verifier, GError **error);
/* Cuts tries that are under way short after two seconds; what they were about stays in the outbox.
 * NULL is fine. */
void delivery_stop(Delivery *delivery);
