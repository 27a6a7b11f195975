/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every part of the registrar shares: one context, made by main.c, handed to handlers.
 * Everything in it is thread-safe.
 */
#pragma once

#include "http/server.h"
#include "pki/endorsement.h"
#include "registrar/settings.h"
#include "store/database.h"

typedef struct RateLimit RateLimit; /* registrar/rate_limit.h */

typedef struct {
    RegistrarSettings settings;
    Database *database;
    TpmTrust *trust;
    RateLimit *rate_limit;
} Registrar;

/* The API's table of contents. */
extern const Route registrar_routes[];
/* The schema's history. */
extern const Migration registrar_migrations[];
