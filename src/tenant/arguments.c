/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/arguments.h"

#include "tenant/commands.h"

#include <string.h>

G_DEFINE_QUARK(arguments - error - quark, arguments_error)

typedef struct {
    const char *brief, *full, *alias;
    size_t offset;
    const char *value; /* NULL = a flag */
    const char *help;
    bool repeated; /* the member is ArgumentTexts */
} ArgumentSpec;

#define TEXT(brief, full, alias, member, value, help)                                              \
    {                                                                                              \
        brief, full, alias, G_STRUCT_OFFSET(Arguments, member), value, help, false                 \
    }
#define TEXTS(brief, full, alias, member, value, help)                                             \
    {                                                                                              \
        brief, full, alias, G_STRUCT_OFFSET(Arguments, member), value, help, true                  \
    }
#define FLAG(brief, full, alias, member, help)                                                     \
    {                                                                                              \
        brief, full, alias, G_STRUCT_OFFSET(Arguments, member), NULL, help, false                  \
    }

static const ArgumentSpec specs[] = {
    TEXT("-c", "--command", NULL, command, "COMMAND", "what to do (default: add)"),
    FLAG(NULL, "--push-model", NULL, push_model,
         "the agent sends its evidence by itself; it is never contacted"),
    TEXT("-u", "--uuid", NULL, agent_id, "ID", "the agent's identifier"),
    TEXT("-v", "--cv", NULL, verifier_host, "HOST", "verifier (option verifier_ip)"),
    TEXT("-vp", "--cvport", NULL, verifier_port, "PORT", "its port (option verifier_port)"),
    TEXT("-vi", "--cvid", NULL, verifier_id, "ID",
         "cvlist, bulkinfo: agents of this verifier only"),
    TEXT("-r", "--registrarhost", NULL, registrar_host, "HOST", "registrar (option registrar_ip)"),
    TEXT("-rp", "--registrarport", NULL, registrar_port, "PORT",
         "its HTTPS port (option registrar_port)"),
    TEXT(NULL, "--tpm_policy", NULL, tpm_policy, "JSON",
         "allowed PCR values, e.g. '{\"15\": [\"00...00\"]}'"),
    FLAG("-nvc", "--no-verifier-check", NULL, no_verifier_check,
         "delete, update, reactivate: do not ask for the record first"),
    FLAG(NULL, "--json", NULL, json, "print only JSON on stdout; messages go to stderr"),
    TEXT("-t", "--targethost", NULL, target_host, "HOST", "no effect in the push model"),
    TEXT("-tp", "--targetport", NULL, target_port, "PORT", "no effect in the push model"),
    TEXT(NULL, "--cv_targethost", NULL, cv_target_host, "HOST", "no effect in the push model"),
    TEXT(NULL, "--agent-api-version", NULL, agent_api_version, "VERSION",
         "version to record for the agent (default: 2.6)"),
    TEXT(NULL, "--supported-version", NULL, supported_version, "VERSION",
         "deprecated name of --agent-api-version"),
    TEXT(NULL, "--runtime-policy", NULL, runtime_policy, "FILE", "runtime policy"),
    TEXT(NULL, "--runtime-policy-name", NULL, runtime_policy_name, "NAME",
         "a stored runtime policy"),
    TEXT(NULL, "--runtime-policy-url", NULL, runtime_policy_url, "URL",
         "runtime policy to download"),
    TEXT(NULL, "--runtime-policy-checksum", NULL, runtime_policy_checksum, "HEX", "its SHA-256"),
    TEXT(NULL, "--runtime-policy-sig-key", NULL, runtime_policy_sig_key, "FILE", "its public key"),
    TEXT(NULL, "--mb-policy", "--mb_refstate", mb_policy, "FILE", "measured-boot policy"),
    TEXT(NULL, "--mb-policy-name", NULL, mb_policy_name, "NAME", "a stored measured-boot policy"),
    TEXT(NULL, "--allowlist", NULL, allowlist, "FILE",
         "deprecated: an allow list, made into a runtime policy"),
    TEXT(NULL, "--allowlist-url", NULL, allowlist_url, "URL",
         "deprecated: an allow list to download (https)"),
    TEXT(NULL, "--allowlist-name", NULL, allowlist_name, "NAME",
         "deprecated: --runtime-policy-name"),
    TEXT(NULL, "--exclude", NULL, exclude, "FILE", "deprecated: exclude list beside an allow list"),
    TEXTS(NULL, "--signature-verification-key", "--sign_verification_key", signature_keys, "FILE",
          "deprecated: key that signs files, besides those of the runtime policy; may be repeated, "
          "as the next five"),
    TEXTS(NULL, "--signature-verification-key-sig", NULL, signature_key_sigs, "FILE",
          "signature of that key: OpenPGP, or ECDSA over SHA-256"),
    TEXTS(NULL, "--signature-verification-key-sig-key", NULL, signature_key_sig_keys, "FILE",
          "public key that made the signature"),
    TEXTS(NULL, "--signature-verification-key-url", NULL, signature_key_urls, "URL",
          "deprecated: such a key to download (https, or with a signature)"),
    TEXTS(NULL, "--signature-verification-key-sig-url", NULL, signature_key_sig_urls, "URL",
          "signature of the downloaded key"),
    TEXTS(NULL, "--signature-verification-key-sig-url-key", NULL, signature_key_sig_url_keys,
          "FILE", "public key that made it"),
    TEXT("-f", "--file", NULL, file, "FILE", "payload; pull model only"),
    TEXT("-k", "--key", NULL, key, "FILE", "payload keys; pull model only"),
    TEXT("-p", "--payload", NULL, payload, "FILE", "encrypted payload; pull model only"),
    TEXT(NULL, "--cert", NULL, cert, "DIR", "certificate payload; pull model only"),
    TEXT(NULL, "--include", NULL, include, "DIR", "more payload files; pull model only"),
    FLAG(NULL, "--verify", NULL, verify, "wait for the payload's keys; pull model only"),
    FLAG("-h", "--help", NULL, help, "show this text"),
    FLAG("-V", "--version", NULL, version, "show the version"),
    FLAG(NULL, "--check-config", NULL, check_config,
         "show every option with its value and source, and every problem"),
    FLAG(NULL, "--example-config", NULL, example_config,
         "print a configuration file with all options, their defaults and meaning"),
};

static bool usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool usage(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, ARGUMENTS_ERROR, 0, message);
    return false;
}

/* The option called `name`: exactly, or by an abbreviation that fits one long option only. */
static const ArgumentSpec *find_spec(const char *name, GError **error)
{
    const ArgumentSpec *abbreviated = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        const ArgumentSpec *spec = &specs[i];
        if (g_strcmp0(name, spec->brief) == 0 || strcmp(name, spec->full) == 0 ||
            g_strcmp0(name, spec->alias) == 0)
            return spec;
        if (strlen(name) > 2 && g_str_has_prefix(spec->full, name)) {
            if (abbreviated) {
                usage(error, "%s could be %s or %s", name, abbreviated->full, spec->full);
                return NULL;
            }
            abbreviated = spec;
        }
    }
    if (!abbreviated)
        usage(error, "unrecognized argument: %s", name);
    return abbreviated;
}

static bool store_value(const ArgumentSpec *spec, const char *value, Arguments *out, GError **error)
{
    if (!spec->value) {
        if (value)
            return usage(error, "%s takes no value", spec->full);
        *(bool *)G_STRUCT_MEMBER_P(out, spec->offset) = true;
        return true;
    }
    const char **member = G_STRUCT_MEMBER_P(out, spec->offset);
    for (unsigned i = 0; spec->repeated && *member; i++, member++)
        if (i + 1 == ARGUMENTS_MAX_KEYS)
            return usage(error, "%s may be given %d times", spec->full, ARGUMENTS_MAX_KEYS);
    if (*member)
        return usage(error, "%s is given twice", spec->full);
    *member = value;
    return true;
}

bool arguments_parse(int argc, char **argv, Arguments *out, GError **error)
{
    *out = (Arguments){0};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '\0')
            return usage(error, "unrecognized argument: %s", word);
        const char *equals = g_str_has_prefix(word, "--") ? strchr(word, '=') : NULL;
        g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
        const ArgumentSpec *spec = find_spec(name, error);
        if (!spec)
            return false;
        const char *value = equals ? equals + 1 : NULL;
        if (spec->value && !value) {
            if (i + 1 >= argc)
                return usage(error, "%s expects %s", spec->full, spec->value);
            value = argv[++i];
        }
        if (!store_value(spec, value, out, error))
            return false;
    }
    if (!out->command)
        out->command = "add";
    return true;
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
    if (is_command(arguments, adding) && !file && !url && !list && !list_url)
        return usage(error, "--allowlist or --runtime_policy is required to add a runtime policy");
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
           check_signature_keys(arguments, error);
}

void arguments_print_help(FILE *out)
{
    fprintf(out, "usage: keylime_tenant [-c COMMAND] [OPTIONS]\n\n"
                 "Enrol, watch and remove the agents of a Keylime verifier in push mode.\n\n"
                 "commands:\n");
    for (const TenantCommand *command = tenant_commands; command->name; command++)
        if (command->help)
            fprintf(out, "  %-20s %s\n", command->name, command->help);
    fprintf(out, "\noptions:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        g_autofree char *names = g_strdup_printf(
            "%s%s%s%s%s", specs[i].brief ? specs[i].brief : "", specs[i].brief ? ", " : "",
            specs[i].full, specs[i].value ? " " : "", specs[i].value ? specs[i].value : "");
        fprintf(out, "  %-36s %s\n", names, specs[i].help);
    }
    fprintf(out, "\nConfiguration: /etc/keylime/tenant.conf and tenant.conf.d, or the file that "
                 "KEYLIME_TENANT_CONFIG\nnames; each option also as KEYLIME_TENANT_<OPTION>.\n"
                 "Exit status: 0 done, 1 failed, 2 wrong command line.\n");
}
