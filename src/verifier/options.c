/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's options (configuration-and-operations §3, decisions marked *new*), in the order in
 * which the example file prints them.
 */
#include "base/json.h"
#include "http/client.h"
#include "http/service_options.h"
#include "store/database_options.h"
#include "verifier/notification/notification.h"
#include "verifier/settings.h"

#include <string.h>

/* --- checks ----------------------------------------------------------------------------------- */

/* Decision D112: absent or empty means push, as the only mode there is. */
static const char *check_mode(const char *value)
{
    if (*value == '\0' || g_ascii_strcasecmp(value, "push") == 0)
        return NULL;
    if (g_ascii_strcasecmp(value, "pull") == 0)
        return "this verifier serves push mode only; set mode = push";
    return "must be push: this verifier serves push mode only; set mode = push";
}

static const char *check_uuid(const char *value)
{
    return *value && strlen(value) <= 80 ? NULL : "must be a text of 1 to 80 bytes";
}

static const char *check_no_imports(const char *value)
{
    for (const char *c = value; *c; c++) {
        if (!strchr("[]\"' \t\n", *c))
            return "must be []: measured boot policies as Python modules are not provided";
    }
    return NULL;
}

/* A list of {"event_id": ..., "severity_label": ...} as Python or JSON writes it. */
static const char *check_severity_policy(const char *value)
{
    const char *allowed = "must be a list such as"
                          " [{\"event_id\": \".*\", \"severity_label\": \"emergency\"}]";
    g_autoptr(Json) rules = json_parse(bytes_of_text(value), NULL);
    if (!rules) {
        g_autofree char *quoted = g_strdelimit(g_strdup(value), "'", '"');
        rules = json_parse(bytes_of_text(quoted), NULL);
    }
    if (!json_object_is_type(rules, json_type_array))
        return allowed;
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        Json *rule = json_object_array_get_idx(rules, i);
        if (!json_member_text(rule, "event_id") || !json_member_text(rule, "severity_label"))
            return allowed;
    }
    return NULL;
}

/* PCR 10 is IMA's; 16 and above change after boot. */
static const char *check_pcrs(const char *value)
{
    const char *allowed = "must be a list of PCR numbers from 0 to 15 without 10";
    g_auto(GStrv) words = g_strsplit_set(value, "[], '\"\t\n", -1);
    for (unsigned i = 0; words[i]; i++) {
        guint64 number;
        if (*words[i] &&
            (!g_ascii_string_to_unsigned(words[i], 10, 0, 15, &number, NULL) || number == 10))
            return allowed;
    }
    return NULL;
}

/* Checks of lists are asked about each element. */
static const char *check_channel(const char *value)
{
    static const char *const channels[] = {"agent", "webhook", "zeromq", NULL};
    return g_strv_contains(channels, value) ? NULL
                                            : "must be a list out of agent, webhook and zeromq";
}

static const char *check_event(const char *value)
{
    return g_strv_contains(notification_type_words, value)
               ? NULL
               : "must be a list out of revocation, comm_error, recovered, enrolled and deleted";
}

static const char *check_webhook(const char *value)
{
    g_autofree char *host = http_url_host(value);
    return host ? NULL : "must be a http:// or https:// URL with a host name, or a list of such";
}

/* --- words ------------------------------------------------------------------------------------ */

static const char *const stale_actions[] = {"warn", "archive", "delete", NULL};
static const char *const once_always[] = {"once", "always", NULL};
static const char *const violations[] = {"path", "ignore", "fail", NULL};
static const char *const boot_profiles[] = {"strict", "upstream", NULL};
static const char *const boot_policies[] = {"accept-all", "reject-all", "example", "hardware",
                                            NULL};

/* --- the table -------------------------------------------------------------------------------- */

#define OPTION_SECTION "verifier"

static const Option options[] = {
    SERVICE_VERSION_ROW,
    TEXT("mode", NULL, "Operating mode; push is the only one this verifier has.",
         .check = check_mode, .shipped = "push"),
    TEXT("uuid", "default", "Id of this verifier, stored with each agent that is enrolled here.",
         .check = check_uuid),
    SERVICE_IP_ROW,
    INT("port", "8881", 1, 65535, "HTTPS port."),

    /* TLS */
    TEXT("tls_dir", "generate",
         "Directory of keys and certificates; generate makes a CA and certificates in cv_ca."),
    SERVICE_TLS_ROWS,
    TEXT("client_key", "default", "Key with which the verifier acts as a client."),
    TEXT("client_key_password", "", "Password of the client key; empty when it has none.",
         .secret = true),
    TEXT("client_cert", "default", "Certificate with which the verifier acts as a client."),
    TEXT("trusted_server_ca", "default", "CAs whose servers the verifier believes as a client."),
    SERVICE_ACCESS_ROWS,

    DATABASE_ROWS,

    SERVICE_LIMIT_ROWS("104857600"),

    /* attestation */
    REAL("quote_interval", "2", 0.5, 86400,
         "Seconds between two attestations of an agent; five times as long without evidence is a"
         " time-out."),
    INT("challenge_lifetime", "300", 1, 86400,
        "Seconds that the nonce of an attestation is good for evidence."),
    INT("verification_timeout", "0", 0, 86400,
        "Seconds that the appraisal of one attestation may take; 0 is 60."),
    BOOL("auto_recover_attestation_failures", "False",
         "Let a passing attestation end FAIL without an operator."),
    BOOL("require_safe_clock", "False",
         "Fail attestations whose TPM clock may have gone back after an unclean power-off."),
    INT("attestation_history_max", "50", 1, 100000,
        "Attestations kept for each agent; up to a quarter more between clean-ups."),
    INT("attestation_history_days", "30", 1, 36500, "Days that attestations are kept."),
    INT("pending_notice", "86400", 0, 31536000,
        "Seconds after which an agent that never attested is reported once; 0 is never."),

    /* life cycle */
    INT("housekeeping_interval", "600", 1, 86400,
        "Seconds between two rounds that delete what has expired and look for stale agents."),
    INT("stale_agent_after", "2592000", 0, 315360000,
        "Seconds without evidence after which an agent is stale; 0 is never."),
    WORD("stale_agent_action", "warn", stale_actions,
         "What becomes of a stale agent: warn says so in the log; archive stops it and deletes its"
         " token and history, until it is reactivated; delete ends its enrolment."),

    /* sessions */
    INT("nonce_lifetime", "60", 1, 86400,
        "Seconds that an agent has to answer the challenge of a session."),
    INT("session_lifetime", "180", 1, 31536000, "Seconds that a token is good for."),
    BOOL("extend_token_on_attestation", "True", "Let each passing attestation prolong the token."),
    INT("session_create_rate_limit_per_ip", "50", 1, 1000000,
        "Unproven session requests that one address may make in a window."),
    INT("session_create_rate_limit_window_ip", "60", 1, 86400, "That window in seconds."),
    INT("session_create_rate_limit_per_agent", "15", 1, 1000000,
        "Unproven session requests that one address may make for one agent in a window."),
    INT("session_create_rate_limit_window_agent", "60", 1, 86400, "That window in seconds."),

    /* runtime integrity */
    WORD("ima_violations", "path", violations,
         "Violations in an IMA list: path lets those of listed or excluded files pass, ignore lets"
         " all pass, fail none."),
    BOOL("ignore_tomtou_errors", "False",
         "Upstream's option, whose effect is the reverse of its name; counts where ima_violations"
         " is not set: False is ignore, True is fail."),
    LIST("runtime_policy_keys", "[]",
         "PEM files of the public keys whose signatures count on runtime policies; when empty, the"
         " key that comes with a policy does."),
    BOOL("require_allow_list_signatures", "False", "Accept signed runtime policies only."),
    BOOL("ima_reverify_on_policy_change", "True",
         "Judge the whole IMA list again after a change of an agent's runtime policy."),

    /* measured boot */
    WORD("measured_boot_policy_name", "accept-all", boot_policies,
         "Rules that judge a measured boot log."),
    WORD("measured_boot_profile", "strict", boot_profiles,
         "strict binds events to their digests; upstream believes their data."),
    LIST("measured_boot_pcrs", "[]",
         "PCRs that accept-all and hardware compare with the log; when empty, 0-9 and 11-15.",
         .check = check_pcrs),
    TEXT("measured_boot_imports", "[]", "Python modules with such rules; none can be loaded.",
         .check = check_no_imports),
    WORD("measured_boot_evaluate", "once", once_always,
         "Judge a measured boot log once for each boot, or always."),
    INT("measured_boot_max_log_size", "16777216", 1024, 104857600,
        "Bytes of the largest measured boot log."),
    INT("measured_boot_max_events", "262144", 1, 16777216,
        "Events of the longest measured boot log."),

    /* verification by anyone */
    BOOL("public_verify_endpoints", "True",
         "Answer verification requests of anyone, not of administrators only."),

    /* severities and notifications; see [revocations], too */
    LIST("severity_labels",
         "[\"info\", \"notice\", \"warning\", \"error\", \"critical\", \"alert\", \"emergency\"]",
         "Names of severities, the least first."),
    TEXT("severity_policy", "[{\"event_id\": \".*\", \"severity_label\": \"emergency\"}]",
         "Which failure has which severity.", .check = check_severity_policy),
    BOOL("exponential_backoff", "True",
         "Let the wait after each failed try of a notification grow: retry_interval to the power"
         " of their number."),
    REAL("retry_interval", "2", 0, 86400,
         "Seconds between tries of a notification, or the base of the growing wait."),
    INT("max_retries", "5", 0, 1000,
        "Failed tries of a notification after which the wait grows no more; tries go on until"
        " notification_max_age."),
    REAL("request_timeout", "60.0", 0.1, 3600, "Seconds that one try of a webhook may take."),

    SERVICE_PLUG_IN_ROWS(""),

    /* without effect in upstream's push mode, too */
    TEXT("registrar_ip", "127.0.0.1", "Never read: the tenant brings the agent's keys.",
         .dead = true),
    INT("registrar_port", "8891", 0, 65535, "Never read.", .dead = true),
    BOOL("enable_agent_mtls", "True", "Belongs to pull mode.", .dead = true),
    INT("num_workers", "0", 0, 1024, "Never read; see max_workers.", .dead = true),

#undef OPTION_SECTION
#define OPTION_SECTION "revocations"
    LIST("enabled_revocation_notifications", "['agent']",
         "Ways on which notifications leave: webhook, zeromq, and agent, which is upstream's and"
         " sends nothing in push mode.",
         .check = check_channel),
    LIST("notification_events", "['revocation', 'comm_error']",
         "What is told: revocation (an agent's status became FAIL), comm_error (TIMEOUT),"
         " recovered, enrolled, deleted.",
         .check = check_event),
    LIST("webhook_url", "",
         "Where the webhook posts to: one URL, or a list, each of which is told on its own."
         " Shown nowhere whole, as it may hold secrets.",
         .check = check_webhook, .secret = true),
    LIST("webhook_trusted_ca", "[]",
         "PEM files of the CAs whose webhook servers are believed; when empty, those of"
         " trusted_server_ca."),
    TEXT("notification_signing_key", "",
         "PEM file of the RSA key that signs notifications about agents that were enrolled without"
         " a revocation_key; when empty, those are not signed."),
    TEXT("zmq_ip", "127.0.0.1", "Address on which notifications are published by ZeroMQ.",
         .check = service_check_not_empty),
    INT("zmq_port", "8992", 1, 65535, "Port of it."),
    INT("notification_outbox_max", "10000", 1, 1000000,
        "Notifications that wait for their receivers; beyond, the oldest are dropped."),
    INT("notification_max_age", "86400", 1, 31536000,
        "Seconds after which a notification that could not be delivered is given up."),
    INT("notification_max_attempts", "0", 0, 1000000,
        "Tries that a receiver may answer with an error before it is given up; 0 is any number."),
    {.name = NULL},
};

const ConfigSchema verifier_schema = {
    .component = "verifier",
    .format = CONFIG_INI,
    .options = options,
    .program = "keylime_verifier",
    .summary = "Judges the evidence of agents that attest by themselves (push mode).",
    .check = verifier_settings_check,
};
