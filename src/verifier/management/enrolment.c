/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/management/enrolment.h"

#include "base/encoding.h"
#include "base/identifier.h"
#include "base/log.h"
#include "base/secret.h"
#include "evidence/ima_check.h"
#include "policy/accept.h"
#include "policy/ima_keyring.h"
#include "policy/policy_upload.h"
#include "verifier/notification/notification_key.h"
#include "verifier/policies/posted_policy.h"

#include <string.h>

/* What upstream's tenant sends and old scripts rely on: their absence is a mistake of the caller.
 */
static const char *const required_members[] = {
    "tpm_policy",
    "metadata",
    "ima_sign_verification_keys",
    "revocation_key",
    "accept_tpm_hash_algs",
    "accept_tpm_encryption_algs",
    "accept_tpm_signing_algs",
    "ak_tpm",
    "runtime_policy",
    "mb_policy",
    "mb_policy_name",
};

static const char *const known_versions[] = {"1.0", "2.0", "2.1", "2.2", "2.3",
                                             "2.4", "2.5", "2.6", "3.0"};
#define DEFAULT_VERSION "2.6"

G_DEFINE_QUARK(enrolment - error, enrolment_error)

G_GNUC_PRINTF(4, 5)
static bool refuse_with(GError **error, EnrolmentError code, const char *member, const char *format,
                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    /* Parsers below may begin with the member's name themselves. */
    g_autofree char *prefix = g_strconcat(member, ": ", NULL);
    g_set_error(error, ENROLMENT_ERROR, code, "%s%s",
                g_str_has_prefix(reason, prefix) ? "" : prefix, reason);
    return false;
}

#define refuse(error, member, ...)                                                                 \
    refuse_with((error), ENROLMENT_ERROR_MEMBER, (member), __VA_ARGS__)

char *enrolment_error_member(const GError *error)
{
    const char *colon = strchr(error->message, ':');
    return error->domain == ENROLMENT_ERROR && colon
               ? g_strndup(error->message, (gsize)(colon - error->message))
               : NULL;
}

static void replace(char **slot, char *value)
{
    g_free(*slot);
    *slot = value;
}

/* A key that is there counts, whatever its value: tenants send null in many places. */
static bool is_given(Json *members, const char *name)
{
    return json_object_object_get_ex(members, name, NULL);
}

/* Text member, "" when null or absent; false when it is no text. */
static bool text_of(Json *members, const char *name, const char **out, GError **error)
{
    Json *value = json_member(members, name);
    *out = value ? json_text(value) : "";
    return *out ? true : refuse(error, name, "must be a text");
}

/* --- the AK ----------------------------------------------------------------------------------- */

static bool read_ak(Json *members, AgentRecord *record, GError **error)
{
    const char *text;
    if (!text_of(members, "ak_tpm", &text, error))
        return false;
    g_autoptr(GBytes) tpm2b = base64_decode(text);
    if (!tpm2b || *text == '\0')
        return refuse(error, "ak_tpm", "must be the base64 text of a TPM2B_PUBLIC");
    g_autoptr(GError) cause = NULL;
    g_autoptr(TpmPublic) ak = tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), &cause);
    if (!ak || !tpm_public_check_attestation_key(ak, &cause))
        return refuse(error, "ak_tpm", "%s", cause ? cause->message : "no attestation key");
    g_clear_pointer(&record->ak_tpm, g_bytes_unref);
    g_clear_pointer(&record->ak_name, g_bytes_unref);
    record->ak_tpm = g_steal_pointer(&tpm2b);
    record->ak_name = bytes_copy(tpm_public_name(ak));
    return true;
}

/* --- policies --------------------------------------------------------------------------------- */

/* The text as posted (clients read it back as they wrote it), or a posted object as text. */
static bool read_tpm_policy(Json *members, AgentRecord *record, GError **error)
{
    Json *value = json_member(members, "tpm_policy");
    g_autofree char *text = NULL;
    if (!value)
        text = g_strdup("{}");
    else if (json_object_is_type(value, json_type_object))
        text = json_to_python_text(value);
    else
        text = g_strdup(json_text(value));
    if (!text)
        return refuse(error, "tpm_policy", "must be a JSON object or its text");
    if (*text == '\0')
        replace(&text, g_strdup("{}"));
    g_autoptr(GError) cause = NULL;
    g_autoptr(TpmPolicy) policy = tpm_policy_parse(text, &cause);
    if (!policy)
        return refuse(error, "tpm_policy", "%s", cause->message);
    replace(&record->tpm_policy, g_steal_pointer(&text));
    return true;
}

/* A name that a member gives; NULL for none. */
static bool read_policy_name(Json *members, const char *member, char **out, GError **error)
{
    const char *name;
    *out = NULL;
    if (!text_of(members, member, &name, error))
        return false;
    if (*name && !policy_name_is_valid(name))
        return refuse(error, member, "must be 1 to 255 visible ASCII characters without a slash");
    *out = *name ? g_strdup(name) : NULL;
    return true;
}

static bool read_runtime_policy(Json *members, const char *agent_id, const PolicyRules *rules,
                                PolicyChoice *out, GError **error)
{
    out->given = is_given(members, "runtime_policy") || is_given(members, "runtime_policy_name");
    g_autoptr(GError) cause = NULL;
    if (!read_policy_name(members, "runtime_policy_name", &out->name, error))
        return false;
    if (posted_policy_runtime(rules, members, out->name ? out->name : agent_id, &out->posted,
                              &cause))
        return true;
    if (cause->code == POLICY_UPLOAD_ERROR_UNSIGNED)
        return refuse_with(error, ENROLMENT_ERROR_SIGNATURE, "runtime_policy", "%s",
                           cause->message);
    return refuse(error, "runtime_policy", "%s", cause->message);
}

static bool read_mb_policy(Json *members, const char *agent_id, const PolicyRules *rules,
                           PolicyChoice *out, GError **error)
{
    out->given = is_given(members, "mb_policy") || is_given(members, "mb_policy_name");
    g_autoptr(GError) cause = NULL;
    if (!read_policy_name(members, "mb_policy_name", &out->name, error))
        return false;
    return posted_policy_boot(rules, members, out->name ? out->name : agent_id, &out->posted,
                              &cause) ||
           refuse(error, "mb_policy", "%s", cause->message);
}

bool enrolment_check_pcrs(const AgentRecord *record, GError **error)
{
    uint32_t taken = (record->runtime.wants_log ? UINT32_C(1) << IMA_PCR : 0) |
                     (record->boot.wants_log ? BOOT_PCRS : 0);
    g_autoptr(TpmPolicy) policy = tpm_policy_parse(record->tpm_policy, NULL);
    uint32_t both = policy ? taken & tpm_policy_pcrs(policy) : 0;
    if (both == 0)
        return true;
    unsigned pcr = (unsigned)__builtin_ctz(both);
    return refuse(error, "tpm_policy", "PCR %u is judged by the agent's %s policy", pcr,
                  pcr == IMA_PCR ? "runtime" : "measured boot");
}

/* --- accept lists ----------------------------------------------------------------------------- */

static bool read_list(Json *members, const char *name, bool (*is_known)(const char *), char **out,
                      GError **error)
{
    Json *list = json_member_of_type(members, name, json_type_array);
    if (!list)
        return refuse(error, name, "must be a list of algorithm names");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *word = json_text(json_object_array_get_idx(list, i));
        if (!word)
            return refuse(error, name, "must be a list of algorithm names");
        if (!is_known(word))
            return refuse(error, name, "'%.40s' is no known algorithm", word);
    }
    replace(out, json_to_text(list));
    return true;
}

static bool read_lists(Json *members, AgentRecord *record, GError **error)
{
    return read_list(members, "accept_tpm_hash_algs", accept_hash_is_known, &record->accept_hashes,
                     error) &&
           read_list(members, "accept_tpm_encryption_algs", accept_encryption_is_known,
                     &record->accept_encryption, error) &&
           read_list(members, "accept_tpm_signing_algs", accept_signing_is_known,
                     &record->accept_signing, error);
}

/* --- the rest --------------------------------------------------------------------------------- */

static bool read_metadata(Json *members, AgentRecord *record, GError **error)
{
    Json *value = json_member(members, "metadata");
    char *text = json_object_is_type(value, json_type_object) ? json_to_python_text(value)
                                                              : g_strdup(json_text(value));
    if (value && !text)
        return refuse(error, "metadata", "must be a JSON object or its text");
    replace(&record->meta_data, text ? text : g_strdup("{}"));
    return true;
}

/* With which notifications about this agent are signed (configuration-and-operations §14.2). */
static bool read_revocation_key(Json *members, AgentRecord *record, GError **error)
{
    const char *pem;
    g_autoptr(GError) cause = NULL;
    if (!text_of(members, "revocation_key", &pem, error))
        return false;
    g_autoptr(EVP_PKEY) key = *pem ? notification_key_parse(pem, &cause) : NULL;
    if (*pem && !key)
        return refuse(error, "revocation_key", "%s", cause->message);
    secret_free_text(record->revocation_key);
    record->revocation_key = is_given(members, "revocation_key") ? g_strdup(pem) : NULL;
    return true;
}

static bool read_address(Json *members, AgentRecord *record, const VerifierSettings *settings,
                         GError **error)
{
    const char *ip;
    if (!text_of(members, "verifier_ip", &ip, error))
        return false;
    replace(&record->verifier_ip, g_strdup(*ip ? ip : settings->ip));
    Json *port = json_member(members, "verifier_port");
    record->verifier_port = settings->port;
    if (!port || g_strcmp0(json_text(port), "") == 0)
        return true;
    if (!json_member_int(members, "verifier_port", true, &record->verifier_port) ||
        record->verifier_port < 1 || record->verifier_port > 65535)
        return refuse(error, "verifier_port", "must be a port number, 1 to 65535");
    return true;
}

static const char *version_of(const char *given)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(known_versions); i++) {
        if (g_str_equal(given, known_versions[i]))
            return known_versions[i];
    }
    if (*given)
        log_warning("Unknown supported_version '%.20s', %s is taken", given, DEFAULT_VERSION);
    return DEFAULT_VERSION;
}

static bool read_agent_facts(Json *members, AgentRecord *record, GError **error)
{
    const char *mtls, *version, *keys;
    if (!text_of(members, "mtls_cert", &mtls, error) ||
        !text_of(members, "supported_version", &version, error) ||
        !text_of(members, "ima_sign_verification_keys", &keys, error))
        return false;
    if (is_given(members, "mtls_cert"))
        replace(&record->mtls_cert, *mtls ? g_strdup(mtls) : NULL);
    if (is_given(members, "supported_version") || !record->supported_version)
        replace(&record->supported_version, g_strdup(version_of(version)));
    if (!is_given(members, "ima_sign_verification_keys"))
        return true;
    replace(&record->ima_keys, g_strdup(keys));
    g_autoptr(GError) cause = NULL;
    g_autoptr(ImaKeyring) ring =
        *keys ? ima_keyring_parse(bytes_of_text(keys), &ima_keyring_rules_enrolment, &cause) : NULL;
    return ring || !*keys || refuse(error, "ima_sign_verification_keys", "%s", cause->message);
}

AgentRecord *enrolment_read(Json *members, const char *agent_id, const VerifierSettings *settings,
                            const PolicyRules *rules, PolicyChoices *choices, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(required_members); i++) {
        if (!is_given(members, required_members[i])) {
            refuse(error, required_members[i], "is required");
            return NULL;
        }
    }
    g_autoptr(AgentRecord) record = g_new0(AgentRecord, 1);
    record->agent_id = g_strdup(agent_id);
    record->verifier_id = g_strdup(settings->uuid);
    record->operational_state = AGENT_STATE_ACTIVE;
    record->accept_attestations = true;
    record->severity_level = -1;
    record->created_at = timestamp_now();
    bool good =
        read_ak(members, record, error) && read_tpm_policy(members, record, error) &&
        read_lists(members, record, error) &&
        read_runtime_policy(members, agent_id, rules, &choices->runtime, error) &&
        read_mb_policy(members, agent_id, rules, &choices->boot, error) &&
        read_metadata(members, record, error) && read_address(members, record, settings, error) &&
        read_revocation_key(members, record, error) && read_agent_facts(members, record, error);
    return good ? g_steal_pointer(&record) : NULL;
}

/* --- updates ---------------------------------------------------------------------------------- */

static bool update_lists(Json *members, AgentRecord *record, bool *given, GError **error)
{
    const struct {
        const char *name;
        bool (*is_known)(const char *);
        char **slot;
    } lists[] = {
        {"accept_tpm_hash_algs", accept_hash_is_known, &record->accept_hashes},
        {"accept_tpm_encryption_algs", accept_encryption_is_known, &record->accept_encryption},
        {"accept_tpm_signing_algs", accept_signing_is_known, &record->accept_signing},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
        if (!is_given(members, lists[i].name))
            continue;
        *given = true;
        if (!read_list(members, lists[i].name, lists[i].is_known, lists[i].slot, error))
            return false;
    }
    return true;
}

bool enrolment_update(Json *members, AgentRecord *record, const PolicyRules *rules,
                      PolicyChoices *choices, bool *new_reference, GError **error)
{
    static const char *const references[] = {"ak_tpm",
                                             "tpm_policy",
                                             "runtime_policy",
                                             "runtime_policy_name",
                                             "mb_policy",
                                             "mb_policy_name",
                                             "ima_sign_verification_keys"};
    *new_reference = false;
    for (unsigned i = 0; i < G_N_ELEMENTS(references); i++)
        *new_reference |= is_given(members, references[i]);
    /* What is not given stays: the present address takes the place of the configured one. */
    g_autofree char *ip = g_strdup(record->verifier_ip ? record->verifier_ip : "");
    VerifierSettings present = {.ip = ip, .port = (unsigned)record->verifier_port};
    return (!is_given(members, "ak_tpm") || read_ak(members, record, error)) &&
           (!is_given(members, "tpm_policy") || read_tpm_policy(members, record, error)) &&
           update_lists(members, record, new_reference, error) &&
           read_runtime_policy(members, record->agent_id, rules, &choices->runtime, error) &&
           read_mb_policy(members, record->agent_id, rules, &choices->boot, error) &&
           (!is_given(members, "metadata") || read_metadata(members, record, error)) &&
           read_address(members, record, &present, error) &&
           read_revocation_key(members, record, error) && read_agent_facts(members, record, error);
}
