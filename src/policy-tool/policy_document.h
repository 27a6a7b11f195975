/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime policy while it is put together: names with their digests, and the other members. What
 * comes out is sorted and free of doubles, so that the same input always gives the same text.
 *
 * Digests may be added from several threads at once; everything else by one.
 */
#pragma once

#include "policy/ima_keyring.h"
#include "policy/runtime_policy.h"

typedef struct PolicyDocument PolicyDocument;

PolicyDocument *policy_document_new(void);
void policy_document_free(PolicyDocument *document);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PolicyDocument, policy_document_free)

/*
 * `hex` is taken in lower case. Spaces of a path in RUNTIME_POLICY_DIGESTS become "_", as the
 * kernel writes them. A name that no JSON text can hold (no UTF-8, or a NUL) is only counted.
 */
void policy_document_add(PolicyDocument *document, RuntimePolicyMap map, Bytes name,
                         const char *hex);
void policy_document_add_exclude(PolicyDocument *document, const char *pattern);
void policy_document_ignore_keyring(PolicyDocument *document, const char *name);
void policy_document_add_key(PolicyDocument *document, const ImaKey *key);
/* Takes over what a policy has (ima §7.1); its form must have been checked. */
void policy_document_add_policy(PolicyDocument *document, Json *policy);

/* Names in a map; names that were only counted. */
guint policy_document_size(const PolicyDocument *document, RuntimePolicyMap map);
guint policy_document_unnamable(const PolicyDocument *document);

/* The policy, one line of JSON as Python prints it; newly allocated. `timestamp` as in
 * policy/legacy_policy.h. */
char *policy_document_text(const PolicyDocument *document, const char *timestamp);
/* Its digests as lines "<digest>  <path>", boot_aggregate first; newly allocated. */
char *policy_document_allowlist(const PolicyDocument *document);
