/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_verifier: what its server stands on (http/service.h is the rest of its life).
 */
#include "http/service.h"
#include "store/database_options.h"
#include "verifier/appraisal/failure_severity.h"
#include "verifier/appraisal/pool.h"
#include "verifier/notification/delivery.h"
#include "verifier/policies/posted_policy.h"
#include "verifier/server_keys.h"
#include "verifier/session/limits.h"
#include "verifier/session/store.h"
#include "verifier/upkeep/housekeeping.h"
#include "verifier/upkeep/liveness.h"

/* A kept-alive connection may be silent for two intervals of its agent, within these bounds. */
#define IDLE_SECONDS_MIN 120
#define IDLE_SECONDS_MAX 3600

/* In the order in which one needs the other. */
static bool open_parts(gpointer context, const Config *config, GError **error)
{
    Verifier *verifier = context;
    verifier->config = config;
    verifier_settings_read(config, &verifier->settings);
    verifier_settings_report(config);
    verifier->policy_rules = policy_rules_load(config, error);
    if (!verifier->policy_rules)
        return false;
    verifier->severities = failure_severity_load(config, error);
    if (!verifier->severities)
        return false;
    verifier->database =
        database_open_configured(config, "verifier.sqlite", verifier_migrations, error);
    if (!verifier->database)
        return false;
    verifier->keys = server_keys_open(verifier->database, error);
    if (!verifier->keys)
        return false;
    verifier->limits = session_limits_new(&verifier->settings);
    verifier->appraisals = appraisal_pool_new(verifier, error);
    if (!verifier->appraisals)
        return false;
    verifier->delivery = delivery_start(verifier, error);
    if (!verifier->delivery)
        return false;
    verifier->housekeeping = housekeeping_start(verifier, error);
    verifier->liveness = verifier->housekeeping ? liveness_start(verifier, error) : NULL;
    return verifier->liveness != NULL;
}

static unsigned idle_seconds(gpointer context)
{
    const Verifier *verifier = context;
    return (unsigned)CLAMP(2 * verifier->settings.quote_interval / TIMESTAMP_SECOND,
                           IDLE_SECONDS_MIN, IDLE_SECONDS_MAX);
}

static bool is_open(gpointer context)
{
    const Verifier *verifier = context;
    return verifier->settings.public_verify_endpoints;
}

/* Backwards; parts that were never made are NULL. */
static void close_parts(gpointer context)
{
    Verifier *verifier = context;
    ticker_stop(verifier->liveness);
    ticker_stop(verifier->housekeeping);
    delivery_stop(verifier->delivery);
    appraisal_pool_free(verifier->appraisals);
    session_limits_free(verifier->limits);
    server_keys_free(verifier->keys);
    database_close(verifier->database);
    severity_policy_unref(verifier->severities);
    policy_rules_free(verifier->policy_rules);
}

int main(int argc, char **argv)
{
    Verifier verifier = {0};
    const Service service = {
        .schema = &verifier_schema,
        .greeting = "Starting Keylime verifier in PUSH mode...",
        .status = "Serving agents in push mode",
        .tls_port = "port",
        .routes = verifier_routes,
        .token_check = session_store_check_token,
        .context = &verifier,
        .open = open_parts,
        .is_open = is_open,
        .idle_seconds = idle_seconds,
        .close = close_parts,
    };
    return service_main(&service, argc, argv);
}
