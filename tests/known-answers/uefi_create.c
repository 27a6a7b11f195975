/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/boot_reference.h"

#include "uefi_readers.h"

static char *create(Bytes bytes, bool without_secureboot, GError **error)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    UefiLog log;
    if (!uefi_log_parse(bytes, &rules, &log, error))
        return NULL;
    g_autoptr(Json) reference = boot_reference_create(&log, without_secureboot, warnings, error);
    return reference ? json_to_python_text(reference) : NULL;
}

/* Where upstream cannot read a log that is in order, its exit status says nothing about ours. */
static bool upstream_reads(Json *vector)
{
    Json *parse = json_member(vector, "parse");
    Json *upstream = json_member(json_member(parse, "upstream"), "tpm2_tools_5.8");
    return g_strcmp0(json_member_text(upstream, "outcome"), "ok") == 0 ||
           g_strcmp0(json_member_text(parse, "required"), "reject") == 0;
}

static void check_mode(Json *vector, const char *mode, bool without_secureboot, Bytes log,
                       Tally *tally)
{
    Json *expected = json_member(json_member(vector, "create_policy"), mode);
    const char *file = json_member_text(expected, "policy");
    bool required = json_member(expected, "required_exit_code") != NULL;
    guint64 status = member_number(expected, required ? "required_exit_code" : "exit_code");
    g_autoptr(GError) error = NULL;
    if (!expected || (!required && !upstream_reads(vector)))
        return;
    g_autofree char *text = create(log, without_secureboot, &error);
    expect_number(tally, mode, status, text ? 0 : 1);
    if (status != 0 || !file)
        return;
    g_autoptr(GBytes) content = read_vector_file(tally, file);
    if (content && !bytes_equal(bytes_of_gbytes(content), bytes_of_text(text)))
        expect_text(tally, mode, file, text);
}

void check_create_policy(Json *vector, Bytes log, Tally *tally)
{
    check_mode(vector, "default", false, log, tally);
    check_mode(vector, "without_secureboot", true, log, tally);
}
