/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/enrolment.h"

#include "base/encoding.h"
#include "base/log.h"
#include "policy/accept.h"

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

G_GNUC_PRINTF(3, 4)
static bool refuse(GError **error, const char *member, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    /* Parsers below may begin with the member's name themselves. */
    g_autofree char *prefix = g_strconcat(member, ": ", NULL);
    g_set_error(error, ENROLMENT_ERROR, ENROLMENT_ERROR_MEMBER, "%s%s",
                g_str_has_prefix(reason, prefix) ? "" : prefix, reason);
    return false;
}

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

static bool has_elements(Json *policy, const char *name)
{
    Json *value = json_member(policy, name);
    switch (json_object_get_type(value)) {
    case json_type_object:
        return json_object_object_length(value) > 0;
    case json_type_array:
        return json_object_array_length(value) > 0;
    case json_type_string:
        return json_object_get_string_len(value) > 0;
    default:
        return false;
    }
}

/* Decision D50: what makes a runtime policy one that wants IMA evidence. A signed envelope always
 * carries one. */
static bool policy_wants_ima(Json *policy)
{
    static const char *const contents[] = {"digests",  "keyrings",          "ima-buf",
                                           "excludes", "verification-keys", "payload"};
    for (unsigned i = 0; i < G_N_ELEMENTS(contents); i++) {
        if (has_elements(policy, contents[i]))
            return true;
    }
    gint64 generator = 0;
    Json *meta = json_member_of_type(policy, "meta", json_type_object);
    return json_member_int(meta, "generator", false, &generator) && generator > 1;
}

/* The first member that each runtime policy has (ima §7.1) and this one lacks, or NULL. */
static const char *missing_of_policy(Json *policy)
{
    static const char *const required[] = {"meta",     "release", "digests", "excludes",
                                           "keyrings", "ima",     "ima-buf", "verification-keys"};
    for (unsigned i = 0; i < G_N_ELEMENTS(required); i++) {
        if (!is_given(policy, required[i]))
            return required[i];
    }
    return NULL;
}

static bool check_runtime_policy(Json *members, GError **error)
{
    const char *text, *name, *key;
    if (!text_of(members, "runtime_policy", &text, error) ||
        !text_of(members, "runtime_policy_name", &name, error) ||
        !text_of(members, "runtime_policy_key", &key, error))
        return false;
    const char *not_judged = "this version of the verifier does not judge IMA logs; enrol the agent"
                             " without a runtime policy";
    if (*name)
        return refuse(error, "runtime_policy_name", "%s", not_judged);
    g_autoptr(GBytes) body = base64_decode(text);
    if (!body)
        return refuse(error, "runtime_policy", "must be base64");
    if (g_bytes_get_size(body) == 0)
        return true;
    g_autoptr(Json) policy = json_parse(bytes_of_gbytes(body), NULL);
    if (!json_object_is_type(policy, json_type_object))
        return refuse(error, "runtime_policy", "is not valid JSON");
    if (policy_wants_ima(policy))
        return refuse(error, "runtime_policy", "%s", not_judged);
    const char *missing = missing_of_policy(policy);
    return missing ? refuse(error, "runtime_policy", "'%s' is a required member", missing) : true;
}

/* null, "" and {} ask for no judgement. */
static bool mb_policy_has_content(Json *value)
{
    if (json_object_is_type(value, json_type_object))
        return json_object_object_length(value) > 0;
    const char *text = json_text(value);
    if (!text)
        return value != NULL;
    g_autofree char *bare = g_strstrip(g_strdup(text));
    return *bare && !g_str_equal(bare, "{}") && !g_str_equal(bare, "null");
}

static bool check_mb_policy(Json *members, GError **error)
{
    const char *name;
    if (!text_of(members, "mb_policy_name", &name, error))
        return false;
    const char *wrong = *name ? "mb_policy_name"
                        : mb_policy_has_content(json_member(members, "mb_policy")) ? "mb_policy"
                                                                                   : NULL;
    return wrong ? refuse(error, wrong,
                          "this version of the verifier does not judge measured boot logs; enrol"
                          " the agent without a measured boot policy")
                 : true;
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
    if (is_given(members, "ima_sign_verification_keys"))
        replace(&record->ima_keys, g_strdup(keys));
    return true;
}

AgentRecord *enrolment_read(Json *members, const char *agent_id, const VerifierSettings *settings,
                            GError **error)
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
    record->created_at = timestamp_now();
    bool good = read_ak(members, record, error) && read_tpm_policy(members, record, error) &&
                read_lists(members, record, error) && check_runtime_policy(members, error) &&
                check_mb_policy(members, error) && read_metadata(members, record, error) &&
                read_address(members, record, settings, error) &&
                read_agent_facts(members, record, error);
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

bool enrolment_update(Json *members, AgentRecord *record, bool *new_reference, GError **error)
{
    *new_reference = is_given(members, "ak_tpm") || is_given(members, "tpm_policy");
    /* What is not given stays: the present address takes the place of the configured one. */
    g_autofree char *ip = g_strdup(record->verifier_ip ? record->verifier_ip : "");
    VerifierSettings present = {.ip = ip, .port = (unsigned)record->verifier_port};
    return (!is_given(members, "ak_tpm") || read_ak(members, record, error)) &&
           (!is_given(members, "tpm_policy") || read_tpm_policy(members, record, error)) &&
           update_lists(members, record, new_reference, error) &&
           check_runtime_policy(members, error) && check_mb_policy(members, error) &&
           (!is_given(members, "metadata") || read_metadata(members, record, error)) &&
           read_address(members, record, &present, error) &&
           read_agent_facts(members, record, error);
}
