/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_tenant's command line: upstream's options (tenant-and-management-api §2.3) in one table,
 * and the rules among them. Nothing here talks to a server.
 */
#pragma once

#include "config/tool.h"

typedef const char *ArgumentTexts[TOOL_MAX_REPEATS + 1]; /* NULL to the end */

/* Texts borrow from argv; NULL = not given. */
typedef struct {
    const char *command; /* NULL until main() takes `add` for it */
    bool push_model;
    const char *target_host, *target_port, *cv_target_host;
    const char *registrar_host, *registrar_port;
    const char *verifier_host, *verifier_port, *verifier_id;
    bool no_verifier_check;
    const char *agent_id;
    const char *tpm_policy;
    const char *agent_api_version, *supported_version;
    /* payloads: pull model only */
    const char *file, *key, *payload, *cert, *include;
    bool verify;
    /* runtime and measured-boot policies */
    const char *runtime_policy, *runtime_policy_name, *runtime_policy_url, *runtime_policy_checksum;
    const char *runtime_policy_sig_key;
    const char *mb_policy, *mb_policy_name;
    const char *allowlist, *allowlist_url, *allowlist_name, *exclude;
    /* Each signature is of the key at its place, by the key of its place. */
    ArgumentTexts signature_keys, signature_key_sigs, signature_key_sig_keys;
    ArgumentTexts signature_key_urls, signature_key_sig_urls, signature_key_sig_url_keys;
    /* ours */
    bool json, help, version, check_config, example_config;
} Arguments;

/* Upstream's example id, the default of -u. */
#define ARGUMENTS_DEFAULT_AGENT_ID "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"

extern const ToolOption arguments_options[];

/* The command is an option's value or the only word. False: a usage error (exit status 2). */
bool arguments_parse(int argc, char **argv, Arguments *out, GError **error);
/* The rules among options; false: a usage error. */
bool arguments_check(const Arguments *arguments, GError **error);
