/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/policies/policy_kind.h"

#include <string.h>

static const PolicyWords runtime_words = {
    .kind = POLICY_RUNTIME,
    .noun = "Runtime policy",
    .short_noun = "allowlist",
    .member = "runtime_policy",
    .list_member = "runtimepolicy names",
    .v3_type = "ima_policy",
    .v3_path = "/policies/ima/",
    .read = posted_policy_runtime,
};

static const PolicyWords boot_words = {
    .kind = POLICY_MEASURED_BOOT,
    .noun = "Measured boot policy",
    .short_noun = "mb_policy",
    .member = "mb_policy",
    .list_member = "mbpolicy names",
    .v3_type = "uefi_refstate",
    .v3_path = "/refstates/uefi/",
    .read = posted_policy_boot,
    .may_be_absent = true,
};

const PolicyWords *policy_words_of(const HttpRequest *request)
{
    const char *path = http_request_path(request) + strlen(http_request_version_prefix(request));
    bool runtime = g_str_has_prefix(path, "/allowlists") || g_str_has_prefix(path, "/policies");
    return runtime ? &runtime_words : &boot_words;
}

Json *policy_members_to_json(const PolicyWords *words, const PolicyRecord *record)
{
    Json *object = json_object_new_object();
    json_add_text(object, "name", record->name);
    /* A misspelling that upstream answers; always null. */
    if (words->kind == POLICY_RUNTIME)
        json_add_null(object, "tmp_policy");
    json_add_text(object, words->member, record->text);
    return object;
}
