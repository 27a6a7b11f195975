/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/arguments.h"

#include "tenant/commands.h"

#include <string.h>

/* clang-format off */
#define ENROL   "add update"
#define RUNTIME "addruntimepolicy updateruntimepolicy addallowlist"
#define BOOT    "addmbpolicy updatembpolicy"
#define NAMED_RUNTIME "showruntimepolicy deleteruntimepolicy showallowlist deleteallowlist"
#define NAMED_BOOT    "showmbpolicy deletembpolicy"

#define TEXT(brief_, full_, member_, value_)     TOOL_OPTION(Arguments, TOOL_TEXT, brief_, full_, member_, value_)
#define REPEATED(brief_, full_, member_, value_) TOOL_OPTION(Arguments, TOOL_REPEATED, brief_, full_, member_, value_)
#define FLAG(brief_, full_, member_)             TOOL_OPTION(Arguments, TOOL_FLAG, brief_, full_, member_, NULL)

#define CHOICE  "What to do"
#define POLICY  "What the agent's evidence is judged by"
#define SERVERS "Servers"
#define OUTPUT  "Output and configuration"
#define OLD     "Deprecated"
#define PULL    "Of the pull model, which this tenant does not speak"

const ToolOption arguments_options[] = {
    {TEXT("-c", "--command", command, "COMMAND"), .rare = true, .group = CHOICE, .default_text = "add",
     .help = "The command, where it is not the first word."},
    {TEXT("-u", "--uuid", agent_id, "ID"), .group = CHOICE, .default_text = ARGUMENTS_DEFAULT_AGENT_ID,
     .help = "The agent: its option uuid, or its line \"Agent UUID\" in its log."},
    {FLAG(NULL, "--push-model", push_model), .group = CHOICE,
     .help = "The agent sends its evidence by itself and is never contacted. add and update need it."},
    {FLAG("-nvc", "--no-verifier-check", no_verifier_check), .group = CHOICE, .commands = "delete update reactivate",
     .help = "Do not ask the verifier for the agent's record first."},

    {TEXT(NULL, "--tpm_policy", tpm_policy, "JSON"), .group = POLICY, .commands = ENROL " " RUNTIME, .default_text = "{}",
     .help = "Allowed PCR values: an object from PCR numbers to a value or a list of them, in hexadecimal. PCR 10 and 16"
             " cannot be named."},
    {TEXT(NULL, "--runtime-policy", runtime_policy, "FILE"), .group = POLICY, .commands = ENROL " " RUNTIME,
     .help = "Runtime policy, by which the kernel's measurement list is judged: JSON, or a signed envelope of it."},
    {TEXT(NULL, "--runtime-policy-name", runtime_policy_name, "NAME"), .group = POLICY,
     .commands = ENROL " " RUNTIME " " NAMED_RUNTIME,
     .help = "A stored runtime policy, or the name to store --runtime-policy under. With add and update, a policy without"
             " a name is stored under the agent's identifier."},
    {TEXT(NULL, "--runtime-policy-url", runtime_policy_url, "URL"), .group = POLICY, .commands = ENROL " " RUNTIME,
     .help = "Runtime policy to download. Needs --runtime-policy-checksum."},
    {TEXT(NULL, "--runtime-policy-checksum", runtime_policy_checksum, "HEX"), .group = POLICY,
     .commands = ENROL " " RUNTIME, .help = "SHA-256 that the runtime policy must have."},
    {TEXT(NULL, "--runtime-policy-sig-key", runtime_policy_sig_key, "FILE"), .group = POLICY,
     .commands = ENROL " " RUNTIME, .help = "Public key in PEM that signed the runtime policy. A signed one needs it."},
    {TEXT(NULL, "--mb-policy", mb_policy, "FILE"), .alias = "--mb_refstate", .group = POLICY, .commands = ENROL " " BOOT,
     .help = "Measured boot policy, by which the boot event log is judged. The file `default` is that of option"
             " mb_refstate."},
    {TEXT(NULL, "--mb-policy-name", mb_policy_name, "NAME"), .group = POLICY, .commands = ENROL " " BOOT " " NAMED_BOOT,
     .help = "A stored measured boot policy, or the name to store --mb-policy under."},

    {TEXT("-v", "--cv", verifier_host, "HOST"), .group = SERVERS, .default_text = "option verifier_ip",
     .help = "Verifier."},
    {TEXT("-vp", "--cvport", verifier_port, "PORT"), .group = SERVERS, .default_text = "option verifier_port",
     .help = "Its port."},
    {TEXT("-vi", "--cvid", verifier_id, "ID"), .group = SERVERS, .commands = "cvlist bulkinfo",
     .help = "Only agents of the verifier with this option uuid."},
    {TEXT("-r", "--registrarhost", registrar_host, "HOST"), .group = SERVERS, .default_text = "option registrar_ip",
     .help = "Registrar."},
    {TEXT("-rp", "--registrarport", registrar_port, "PORT"), .group = SERVERS, .default_text = "option registrar_port",
     .help = "Its port, the one of HTTPS."},

    {FLAG(NULL, "--json", json), .group = OUTPUT,
     .help = "Print one JSON document on standard output, of an error too; messages go to standard error."},
    {FLAG("-h", "--help", help), .group = OUTPUT, .help = "Show this text; with a command, what that does."},
    {FLAG("-V", "--version", version), .rare = true, .group = OUTPUT, .help = "Show the version."},
    {FLAG(NULL, "--check-config", check_config), .rare = true, .group = OUTPUT,
     .help = "Show every option of tenant.conf with its value and source, and every problem. With --json as one object."},
    {FLAG(NULL, "--example-config", example_config), .rare = true, .group = OUTPUT,
     .help = "Print a configuration file with all options, their defaults and meaning."},

    {TEXT(NULL, "--allowlist", allowlist, "FILE"), .group = OLD, .rare = true, .commands = ENROL " " RUNTIME,
     .help = "An allow list, made into a runtime policy."},
    {TEXT(NULL, "--allowlist-url", allowlist_url, "URL"), .group = OLD, .rare = true, .commands = ENROL " " RUNTIME,
     .help = "An allow list to download (https)."},
    {TEXT(NULL, "--exclude", exclude, "FILE"), .group = OLD, .rare = true, .commands = ENROL " " RUNTIME,
     .help = "The exclude list beside an allow list."},
    {TEXT(NULL, "--allowlist-name", allowlist_name, "NAME"), .group = OLD, .rare = true,
     .commands = ENROL " " RUNTIME " " NAMED_RUNTIME, .help = "Use --runtime-policy-name."},
    {REPEATED(NULL, "--signature-verification-key", signature_keys, "FILE"), .alias = "--sign_verification_key",
     .group = OLD, .rare = true, .commands = ENROL,
     .help = "Key or certificate that verifies signatures of files, besides those of the runtime policy."},
    {REPEATED(NULL, "--signature-verification-key-sig", signature_key_sigs, "FILE"), .group = OLD, .rare = true,
     .commands = ENROL, .help = "Signature of that key: OpenPGP, or ECDSA over SHA-256."},
    {REPEATED(NULL, "--signature-verification-key-sig-key", signature_key_sig_keys, "FILE"), .group = OLD,
     .rare = true, .commands = ENROL, .help = "Public key that made the signature."},
    {REPEATED(NULL, "--signature-verification-key-url", signature_key_urls, "URL"), .group = OLD, .rare = true,
     .commands = ENROL, .help = "Such a key to download (https, or with a signature)."},
    {REPEATED(NULL, "--signature-verification-key-sig-url", signature_key_sig_urls, "URL"), .group = OLD,
     .rare = true, .commands = ENROL, .help = "Signature of the downloaded key."},
    {REPEATED(NULL, "--signature-verification-key-sig-url-key", signature_key_sig_url_keys, "FILE"), .group = OLD,
     .rare = true, .commands = ENROL, .help = "Public key that made it."},
    {TEXT(NULL, "--supported-version", supported_version, "VERSION"), .group = OLD, .rare = true, .commands = ENROL,
     .help = "Use --agent-api-version."},

    {TEXT("-t", "--targethost", target_host, "HOST"), .group = PULL, .rare = true, .help = "Accepted, has no effect."},
    {TEXT("-tp", "--targetport", target_port, "PORT"), .group = PULL, .rare = true, .help = "Accepted, has no effect."},
    {TEXT(NULL, "--cv_targethost", cv_target_host, "HOST"), .group = PULL, .rare = true, .help = "Accepted, has no effect."},
    {TEXT(NULL, "--agent-api-version", agent_api_version, "VERSION"), .group = PULL, .rare = true, .commands = ENROL,
     .default_text = "2.6", .words = "1.0 2.0 2.1 2.2 2.3 2.4 2.5 2.6 3.0",
     .help = "Version to record for the agent; has no other effect."},
    {TEXT("-f", "--file", file, "FILE"), .group = PULL, .rare = true, .help = "Refused: payload."},
    {TEXT("-k", "--key", key, "FILE"), .group = PULL, .rare = true, .help = "Refused: keys of a payload."},
    {TEXT("-p", "--payload", payload, "FILE"), .group = PULL, .rare = true, .help = "Refused: encrypted payload."},
    {TEXT(NULL, "--cert", cert, "DIR"), .group = PULL, .rare = true, .help = "Refused: certificates as payload."},
    {TEXT(NULL, "--include", include, "DIR"), .group = PULL, .rare = true, .help = "Refused: more files of a payload."},
    {FLAG(NULL, "--verify", verify), .group = PULL, .rare = true, .help = "Refused: wait for the keys of a payload."},
    {0},
};
/* clang-format on */

static bool usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool usage(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TOOL_ERROR, 0, message);
    return false;
}

bool arguments_parse(int argc, char **argv, Arguments *out, GError **error)
{
    *out = (Arguments){0};
    return tool_parse_command(&tenant_tool, argc, argv, out, &out->command, error);
}

static bool refuse_given(const char *flag, const char *value, const char *why, GError **error)
{
    return !value || usage(error, "%s: %s", flag, why);
}

/* Decision D106: nothing that only the pull model can deliver leaves this machine. */
static bool check_no_payload(const Arguments *arguments, GError **error)
{
    static const char why[] = "payloads belong to the pull model; in the push model nothing can be "
                              "delivered to the agent";
    return refuse_given("--file", arguments->file, why, error) &&
           refuse_given("--key", arguments->key, why, error) &&
           refuse_given("--payload", arguments->payload, why, error) &&
           refuse_given("--cert", arguments->cert, why, error) &&
           refuse_given("--include", arguments->include, why, error) &&
           (!arguments->verify || usage(error, "--verify: %s", why));
}

static bool is_command(const Arguments *arguments, const char *const *names)
{
    return g_strv_contains(names, arguments->command);
}

static bool is_https(const char *url)
{
    return g_ascii_strncasecmp(url, "https://", strlen("https://")) == 0;
}

/* The sources of a runtime policy exclude each other; what is said about one needs one
 * (tenant-and-management-api §2.4). */
static bool check_runtime_policy(const Arguments *arguments, GError **error)
{
    static const char *const adding[] = {"addruntimepolicy", "addallowlist", NULL};
    const char *file = arguments->runtime_policy, *url = arguments->runtime_policy_url;
    const char *list = arguments->allowlist, *list_url = arguments->allowlist_url;
    bool given = file || url || list || list_url;
    if (is_command(arguments, adding) && !given)
        return usage(error, "--allowlist or --runtime_policy is required to add a runtime policy");
    if (strcmp(arguments->command, "updateruntimepolicy") == 0 && !given)
        return usage(error, "--runtime-policy is required to update a runtime policy");
    if (arguments->exclude && !list && !list_url)
        return usage(error, "--exclude needs --allowlist or --allowlist-url");
    if ((file != NULL) + (url != NULL) + (list != NULL) + (list_url != NULL) > 1)
        return usage(error, "--runtime-policy, --runtime-policy-url, --allowlist and "
                            "--allowlist-url are different sources: give one of them");
    if (list_url && !is_https(list_url))
        return usage(error, "--allowlist-url: nothing but HTTPS tells whose list it is; give an "
                            "https:// URL, or --runtime-policy-url with --runtime-policy-checksum");
    if (url && !arguments->runtime_policy_checksum)
        return usage(error, "--runtime-policy-url needs --runtime-policy-checksum");
    if (arguments->runtime_policy_checksum && !file && !url)
        return usage(error, "--runtime-policy-checksum needs a runtime policy");
    return !arguments->runtime_policy_sig_key || file || url ||
           usage(error, "--runtime-policy-sig-key needs a runtime policy");
}

/* Without the file a stored policy would be replaced by none. */
static bool check_boot_policy(const Arguments *arguments, GError **error)
{
    static const char *const writing[] = {"addmbpolicy", "updatembpolicy", NULL};
    return arguments->mb_policy || !is_command(arguments, writing) ||
           usage(error, "--mb-policy is required to store a measured boot policy");
}

/* A signature or a signer's key without its counterpart checks nothing. */
static bool check_signed(const ArgumentTexts keys, const ArgumentTexts signatures,
                         const ArgumentTexts signers, const char *option, const char *kind,
                         GError **error)
{
    guint key_count = g_strv_length((char **)keys);
    guint signature_count = g_strv_length((char **)signatures);
    if (signature_count > key_count)
        return usage(error, "%s-sig%s: there are more signatures than keys (%s%s)", option, kind,
                     option, kind);
    return g_strv_length((char **)signers) == signature_count ||
           usage(error, "%s-sig%s-key: as many are needed as signatures (%s-sig%s)", option, kind,
                 option, kind);
}

static bool check_signature_keys(const Arguments *arguments, GError **error)
{
    static const char option[] = "--signature-verification-key";
    for (guint i = 0; arguments->signature_key_urls[i]; i++)
        if (!arguments->signature_key_sig_urls[i] && !is_https(arguments->signature_key_urls[i]))
            return usage(error,
                         "%s-url %s: nothing but HTTPS or a signature tells whose key it is; give "
                         "an https:// URL, or %s-sig-url",
                         option, arguments->signature_key_urls[i], option);
    return check_signed(arguments->signature_keys, arguments->signature_key_sigs,
                        arguments->signature_key_sig_keys, option, "", error) &&
           check_signed(arguments->signature_key_urls, arguments->signature_key_sig_urls,
                        arguments->signature_key_sig_url_keys, option, "-url", error);
}

/* A name becomes part of a path (tenant-and-management-api §2.7): what RFC 3986 allows in a
 * segment.
 */
static bool check_name(const char *option, const char *name, GError **error)
{
    static const char others[] = "-._~%!$&'()*+,;=:@";
    if (!name)
        return true;
    bool good = *name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    for (const char *c = name; good && *c; c++)
        good = g_ascii_isalnum(*c) || strchr(others, *c);
    return good || usage(error, "%s \"%s\": a name is made of letters, digits and %s", option, name,
                         others);
}

bool arguments_check(const Arguments *arguments, GError **error)
{
    bool enrols =
        strcmp(arguments->command, "add") == 0 || strcmp(arguments->command, "update") == 0;
    if (enrols && !arguments->push_model)
        return usage(error,
                     "%s without --push-model asks for the pull model, which this tenant does "
                     "not speak; add --push-model",
                     arguments->command);
    return check_no_payload(arguments, error) && check_runtime_policy(arguments, error) &&
           check_boot_policy(arguments, error) && check_signature_keys(arguments, error) &&
           check_name("--runtime-policy-name", arguments->runtime_policy_name, error) &&
           check_name("--allowlist-name", arguments->allowlist_name, error) &&
           check_name("--mb-policy-name", arguments->mb_policy_name, error);
}
