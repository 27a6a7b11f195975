/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/legacy_policy.h"
#include "policy/runtime_policy.h"

#include "ima_readers.h"

#include <string.h>

#define TIMESTAMP "*" /* what the vectors put in place of the time */

static Json *add_excludes(Json *policy, Json *entry, Tally *tally, GError **error)
{
    const char *file = json_member_text(entry, "excludelist");
    g_autoptr(GBytes) list = policy && file ? read_vector_file(tally, file) : NULL;
    if (list && !legacy_policy_add_excludes(policy, bytes_of_gbytes(list), error))
        g_clear_pointer(&policy, json_unref);
    return policy;
}

static void add_keys(Json *policy, Json *entry, Tally *tally)
{
    g_autofree const char **files = json_member_texts(entry, "verification_keys");
    if (!policy || !files || !files[0])
        return;
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)ima_key_unref);
    for (const char **file = files; *file; file++) {
        g_autoptr(GBytes) data = read_vector_file(tally, *file);
        ImaKey *key = ima_key_parse(bytes_of_gbytes(data), NULL);
        if (key)
            g_ptr_array_add(keys, key);
    }
    legacy_policy_add_keys(policy, (const ImaKey *const *)keys->pdata, keys->len);
}

static Json *convert(Json *entry, Tally *tally, GError **error)
{
    const char *list = json_member_text(entry, "allowlist");
    const char *file = list ? list : json_member_text(entry, "runtime_policy");
    g_autoptr(GBytes) text = read_vector_file(tally, file);
    Json *policy = NULL;
    if (list) {
        policy = legacy_policy_from_allowlist(bytes_of_gbytes(text), TIMESTAMP, NULL, error);
    } else {
        g_autoptr(Json) old = json_parse(bytes_of_gbytes(text), NULL);
        policy = legacy_policy_upgrade(old, TIMESTAMP, error);
    }
    return add_excludes(policy, entry, tally, error);
}

static void settle_timestamp(Json *policy)
{
    Json *meta = json_member(policy, "meta");
    if (json_member(meta, "timestamp"))
        json_add_text(meta, "timestamp", TIMESTAMP);
}

static void check_policy(Json *policy, Json *expect, Tally *tally)
{
    settle_timestamp(policy);
    g_autofree char *expected = json_to_python_text(json_member(expect, "policy"));
    g_autofree char *got = json_to_python_text(policy);
    expect_text(tally, "policy", expected, got);
    bool valid;
    if (!json_member_bool(expect, "schema_valid", &valid))
        return;
    g_autoptr(RuntimePolicy) compiled =
        runtime_policy_parse(bytes_of_text(got), &runtime_policy_rules_upstream, NULL);
    expect_number(tally, "schema_valid", valid, compiled != NULL);
}

void read_convert(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        Json *expect = json_member(entry, "expect");
        g_autoptr(GError) error = NULL;
        g_autoptr(Json) policy = convert(entry, tally, &error);
        add_keys(policy, entry, tally);
        bool ok = g_strcmp0(json_member_text(expect, "result"), "ok") == 0;
        expect_verdict(tally, ok ? "accept" : "reject", policy != NULL,
                       error ? error->message : NULL);
        if (policy && ok)
            check_policy(policy, expect, tally);
        case_end(tally);
    }
}
