/* SPDX-License-Identifier: Apache-2.0 */
/* Allow lists and older policies: what comes out has the members of a policy. */
#include "policy/legacy_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = bytes_of(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(Json) list = legacy_policy_from_allowlist(text, "t", skipped, &error);
    g_assert((list == NULL) == (error != NULL));
    g_assert(!list || json_member(list, "digests"));
    g_autoptr(Json) empty = legacy_policy_empty(POLICY_GENERATOR_LEGACY, "t");
    legacy_policy_add_excludes(empty, text, NULL);
    g_autoptr(Json) document = json_parse(text, NULL);
    g_autoptr(Json) upgraded = legacy_policy_upgrade(document, "t", NULL);
    g_autoptr(Json) row = legacy_policy_from_row(document, "t", NULL);
    if (upgraded)
        legacy_policy_add_keys(upgraded, NULL, 0);
    return 0;
}
