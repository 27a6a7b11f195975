/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a measurement list and an allow list have for a policy (tenant-and-management-api §11.2).
 */
#pragma once

#include "policy-tool/policy_document.h"

typedef struct {
    bool keyrings, buffers;     /* take keys, take other buffers, of ima-buf entries */
    const char *const *ignored; /* keyrings that are not taken; NULL-terminated or NULL */
} MeasuredSettings;

/* Files of `ima-ng` and `ima-sig` entries. Lines that do not parse, and violations, whose digest is
 * none, are left out; standard error says how many. */
void measured_digests_add(Bytes list, const MeasuredSettings *settings, PolicyDocument *document);
/* Hex digits of the first file's digest, which is that of the boot aggregate; 0 without one. */
size_t measured_digest_length(Bytes list);

/* Lines of digest and path; others are named on standard error. False when it is no text. */
bool allowlist_digests_add(Bytes list, PolicyDocument *document, GError **error);
