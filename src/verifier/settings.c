/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/settings.h"

#include "base/log.h"
#include "http/service_options.h"
#include "verifier/appraisal/failure_severity.h"
#include "verifier/notification/notification.h"
#include "verifier/policies/posted_policy.h"

#include <math.h>

/* verification_timeout = 0 (decision D68). */
#define DEFAULT_VERIFICATION_SECONDS 60

static Timestamp seconds_of(const Config *config, const char *name)
{
    return config_int(config, NULL, name) * TIMESTAMP_SECOND;
}

static unsigned number_of(const Config *config, const char *name)
{
    return (unsigned)config_int(config, NULL, name);
}

/* Decision D42: ima_violations, and where only upstream's option is set, what that one does. */
static ImaViolations violations_of(const Config *config)
{
    if (!config_is_set(config, NULL, "ima_violations") &&
        config_is_set(config, NULL, "ignore_tomtou_errors"))
        return config_bool(config, NULL, "ignore_tomtou_errors") ? IMA_VIOLATIONS_FAIL
                                                                 : IMA_VIOLATIONS_IGNORE;
    const char *word = config_text(config, NULL, "ima_violations");
    return g_str_equal(word, "ignore") ? IMA_VIOLATIONS_IGNORE
           : g_str_equal(word, "fail") ? IMA_VIOLATIONS_FAIL
                                       : IMA_VIOLATIONS_PATH;
}

static uint32_t pcrs_of(const Config *config)
{
    uint32_t pcrs = 0;
    for (const char *const *word = config_list(config, NULL, "measured_boot_pcrs"); *word; word++)
        pcrs |= UINT32_C(1) << g_ascii_strtoull(*word, NULL, 10);
    return pcrs;
}

static bool is_word(const Config *config, const char *option, const char *word)
{
    return g_str_equal(config_text(config, NULL, option), word);
}

static StaleAction stale_action_of(const Config *config)
{
    return is_word(config, "stale_agent_action", "archive")  ? STALE_ARCHIVE
           : is_word(config, "stale_agent_action", "delete") ? STALE_DELETE
                                                             : STALE_WARN;
}

void verifier_settings_read(const Config *config, VerifierSettings *out)
{
    *out = (VerifierSettings){
        .uuid = config_text(config, NULL, "uuid"),
        .ip = config_text(config, NULL, "ip"),
        .port = number_of(config, "port"),
        .quote_interval =
            (Timestamp)llround(config_real(config, NULL, "quote_interval") * TIMESTAMP_SECOND),
        .challenge_lifetime = seconds_of(config, "challenge_lifetime"),
        .verification_timeout = seconds_of(config, "verification_timeout"),
        .nonce_lifetime = seconds_of(config, "nonce_lifetime"),
        .session_lifetime = seconds_of(config, "session_lifetime"),
        .extend_token_on_attestation = config_bool(config, NULL, "extend_token_on_attestation"),
        .auto_recover_attestation_failures =
            config_bool(config, NULL, "auto_recover_attestation_failures"),
        .require_safe_clock = config_bool(config, NULL, "require_safe_clock"),
        .rate_limit_per_ip = number_of(config, "session_create_rate_limit_per_ip"),
        .rate_window_ip = number_of(config, "session_create_rate_limit_window_ip"),
        .rate_limit_per_agent = number_of(config, "session_create_rate_limit_per_agent"),
        .rate_window_agent = number_of(config, "session_create_rate_limit_window_agent"),
        .attestation_history_max = number_of(config, "attestation_history_max"),
        .attestation_history_days = number_of(config, "attestation_history_days"),
        .pending_notice = seconds_of(config, "pending_notice"),
        .housekeeping_interval = seconds_of(config, "housekeeping_interval"),
        .stale_after = seconds_of(config, "stale_agent_after"),
        .stale_action = stale_action_of(config),
        .ima_violations = violations_of(config),
        .ima_reverify = config_bool(config, NULL, "ima_reverify_on_policy_change"),
        .boot_evaluate =
            boot_evaluate_from_name(config_text(config, NULL, "measured_boot_evaluate")),
        .boot_pcrs = pcrs_of(config),
        .boot_max_log_size = (size_t)config_int(config, NULL, "measured_boot_max_log_size"),
        .boot_max_events = (size_t)config_int(config, NULL, "measured_boot_max_events"),
        .public_verify_endpoints = config_bool(config, NULL, "public_verify_endpoints"),
    };
    /* Their words were checked with the options. */
    boot_rules_from_name(config_text(config, NULL, "measured_boot_policy_name"), &out->boot_rules);
    boot_profile_from_name(config_text(config, NULL, "measured_boot_profile"), &out->boot_profile);
    notification_settings_read(config, &out->notifications);
    if (out->verification_timeout == 0)
        out->verification_timeout = DEFAULT_VERIFICATION_SECONDS * TIMESTAMP_SECOND;
}

void verifier_settings_check(const Config *config, GPtrArray *problems)
{
    g_autoptr(GError) severities = NULL, keys = NULL;
    service_check(config, "verifier", true, problems);
    SeverityPolicy *policy = failure_severity_load(config, &severities);
    if (severities && !config_was_refused(config, NULL, "severity_policy"))
        config_add_problem(config, problems, NULL, "severity_policy", severities->message);
    severity_policy_unref(policy);
    PolicyRules *rules = policy_rules_load(config, &keys);
    if (keys)
        config_add_problem(config, problems, NULL, "runtime_policy_keys", keys->message);
    policy_rules_free(rules);
    notification_settings_check(config, problems);
}

static void report_violations(const Config *config)
{
    if (config_is_set(config, NULL, "ima_violations") ||
        !config_is_set(config, NULL, "ignore_tomtou_errors"))
        return;
    bool fail = config_bool(config, NULL, "ignore_tomtou_errors");
    log_warning("Option ignore_tomtou_errors = %s (%s) does the reverse of its name: violations in"
                " IMA lists %s. Set ima_violations = path, ignore or fail instead",
                fail ? "True" : "False", config_source(config, NULL, "ignore_tomtou_errors"),
                fail ? "fail an attestation" : "are passed over, whatever the file");
}

/* What the operator gives up, said at every start (decisions D58, D59). */
static void report_boot(const Config *config)
{
    if (is_word(config, "measured_boot_profile", "upstream"))
        log_warning("Option measured_boot_profile = upstream: the data of boot events is believed"
                    " without a look at their digests, digests of banks that are not quoted count,"
                    " and events may stand in any number and order");
    if (is_word(config, "measured_boot_policy_name", "accept-all"))
        log_info(
            "Option measured_boot_policy_name = accept-all: boot logs must fit the quoted PCRs,"
            " but no reference state is judged");
}

void verifier_settings_report(const Config *config)
{
    report_violations(config);
    report_boot(config);
    notification_settings_report(config);
    const char *mode = config_text(config, NULL, "mode");
    if (!mode || *mode == '\0')
        log_info("Option mode is not set: this verifier serves push mode, the only one it has");
}

static Timestamp whole_seconds_up(Timestamp span)
{
    return (span + TIMESTAMP_SECOND - 1) / TIMESTAMP_SECOND;
}

gint64 verifier_period_seconds(const VerifierSettings *settings)
{
    return whole_seconds_up(settings->quote_interval);
}

Timestamp verifier_liveness_limit(const VerifierSettings *settings)
{
    return 5 * settings->quote_interval;
}
