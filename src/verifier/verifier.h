/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every part of the verifier shares: one context, made by main.c, handed to handlers and jobs.
 * Everything in it is thread-safe.
 */
#pragma once

#include "base/ticker.h"
#include "http/server.h"
#include "policy/severity.h"
#include "store/database.h"
#include "verifier/settings.h"

typedef struct ServerKeys ServerKeys;       /* verifier/server_keys.h */
typedef struct SessionLimits SessionLimits; /* verifier/session/limits.h */
typedef struct AppraisalPool AppraisalPool; /* verifier/appraisal/pool.h */
typedef struct Delivery Delivery;           /* verifier/notification/delivery.h */
typedef struct PolicyRules PolicyRules;     /* verifier/policies/posted_policy.h */

typedef struct {
    const Config *config;
    VerifierSettings settings;
    Database *database;
    PolicyRules *policy_rules;
    SeverityPolicy *severities;
    ServerKeys *keys;
    SessionLimits *limits;
    AppraisalPool *appraisals;
    Delivery *delivery;
    Ticker *housekeeping; /* verifier/upkeep/housekeeping.h */
    Ticker *liveness;     /* verifier/upkeep/liveness.h */
} Verifier;

/* The API's table of contents. */
extern const Route verifier_routes[];
/* The schema's history. */
extern const Migration verifier_migrations[];
