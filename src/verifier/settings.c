/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/settings.h"

#include "base/log.h"

#include <math.h>

/* verification_timeout = 0 (decision D68). */
#define DEFAULT_VERIFICATION_SECONDS 60

/* Options of upstream's files whose work this version does not do. Said once each, never silently.
 */
static const struct {
    const char *section, *name, *why;
} later[] = {
    {NULL, "ignore_tomtou_errors", "IMA lists are not judged"},
    {NULL, "require_allow_list_signatures", "runtime policies are not accepted"},
    {NULL, "measured_boot_policy_name", "measured boot logs are not judged"},
    {NULL, "measured_boot_evaluate", "measured boot logs are not judged"},
    {NULL, "public_verify_endpoints", "the verification endpoints are not served"},
    {NULL, "severity_labels", "notifications are not sent"},
    {NULL, "severity_policy", "notifications are not sent"},
    {NULL, "exponential_backoff", "notifications are not sent"},
    {NULL, "retry_interval", "notifications are not sent"},
    {NULL, "max_retries", "notifications are not sent"},
    {NULL, "request_timeout", "notifications are not sent"},
    {NULL, "client_key", "notifications are not sent"},
    {NULL, "client_key_password", "notifications are not sent"},
    {NULL, "client_cert", "notifications are not sent"},
    {NULL, "trusted_server_ca", "notifications are not sent"},
    {"revocations", "enabled_revocation_notifications", "notifications are not sent"},
    {"revocations", "webhook_url", "notifications are not sent"},
    {"revocations", "zmq_ip", "notifications are not sent"},
    {"revocations", "zmq_port", "notifications are not sent"},
};

static Timestamp seconds_of(const Config *config, const char *name)
{
    return config_int(config, NULL, name) * TIMESTAMP_SECOND;
}

static unsigned number_of(const Config *config, const char *name)
{
    return (unsigned)config_int(config, NULL, name);
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
        .public_verify_endpoints = config_bool(config, NULL, "public_verify_endpoints"),
    };
    if (out->verification_timeout == 0)
        out->verification_timeout = DEFAULT_VERIFICATION_SECONDS * TIMESTAMP_SECOND;
}

void verifier_settings_report(const Config *config)
{
    const char *mode = config_text(config, NULL, "mode");
    if (!mode || *mode == '\0')
        log_info("Option mode is not set: this verifier serves push mode, the only one it has");
    for (unsigned i = 0; i < G_N_ELEMENTS(later); i++) {
        if (config_is_set(config, later[i].section, later[i].name))
            log_info("Option %s (%s) has no effect in this version: %s", later[i].name,
                     config_source(config, later[i].section, later[i].name), later[i].why);
    }
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
