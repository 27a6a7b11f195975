/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's options as typed values, read once at start from verifier/options.c's table.
 */
#pragma once

#include "base/timestamp.h"
#include "config/config.h"
#include "evidence/ima/rules.h"
#include "evidence/uefi/boot_check.h"
#include "verifier/notification/notification_settings.h"

/* A time that lies so much further ahead than it could was written before the clock was set back.
 * Replicas' clocks differ by less. */
#define CLOCK_SET_BACK (60 * TIMESTAMP_SECOND)

/* What becomes of agents that nobody has heard from for long. */
typedef enum { STALE_WARN, STALE_ARCHIVE, STALE_DELETE } StaleAction;

typedef struct {
    const char *uuid; /* id stored with each agent */
    const char *ip;   /* for enrolments that name no address of the verifier */
    unsigned port;
    Timestamp quote_interval; /* microseconds; 0.5 s ... 86400 s */
    Timestamp challenge_lifetime;
    Timestamp verification_timeout; /* 0 has become the built-in 60 s (decision D68) */
    Timestamp nonce_lifetime;
    Timestamp session_lifetime;
    bool extend_token_on_attestation;
    bool auto_recover_attestation_failures;
    bool require_safe_clock;
    unsigned rate_limit_per_ip, rate_window_ip; /* seconds */
    unsigned rate_limit_per_agent, rate_window_agent;
    unsigned attestation_history_max, attestation_history_days;
    Timestamp pending_notice; /* 0 = off */
    Timestamp housekeeping_interval;
    Timestamp stale_after; /* 0 = never */
    StaleAction stale_action;
    NotificationSettings notifications;
    bool public_verify_endpoints;
    ImaViolations ima_violations;
    bool ima_reverify; /* after a change of the runtime policy (decision D47) */
    BootRules boot_rules;
    BootProfile boot_profile;
    BootEvaluate boot_evaluate;
    uint32_t boot_pcrs; /* compared by accept-all and hardware; 0 = the usual ones */
    size_t boot_max_log_size, boot_max_events;
} VerifierSettings;

extern const ConfigSchema verifier_schema;

/* For ConfigSchema.check: what options say together, and the files that they name. */
void verifier_settings_check(const Config *config, GPtrArray *problems);

/* Cannot fail: every value was checked when `config` was loaded. Texts borrow from `config`. */
void verifier_settings_read(const Config *config, VerifierSettings *out);

/* What an operator should know of the values: what they give up, and that mode is absent (decisions
 * D42, D58, D59, D108, D112). */
void verifier_settings_report(const Config *config);

/* Whole seconds of `quote_interval`, rounded up: "2s" shows 2 (decision D65). */
gint64 verifier_period_seconds(const VerifierSettings *settings);
/* Liveness limit: 5 x quote_interval, microseconds (decision D64). */
Timestamp verifier_liveness_limit(const VerifierSettings *settings);
