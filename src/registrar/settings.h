/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's options as typed values, read once at start from registrar/options.c's table.
 */
#pragma once

#include "config/config.h"

typedef enum { EK_CHECK_OFF, EK_CHECK_WARN, EK_CHECK_REQUIRE } EkCheck;
typedef enum { MALFORMED_IGNORE, MALFORMED_WARN, MALFORMED_REJECT } MalformedAction;

typedef struct {
    EkCheck ek_cert_check;               /* decision D19 */
    MalformedAction malformed;           /* decision D22 */
    gint64 identity_tombstone;           /* seconds; 0 = none (decision D18) */
    unsigned register_rate_limit_per_ip; /* a minute; 0 = off (decision D24) */
    char *tpm_cert_store;
} RegistrarSettings;

extern const ConfigSchema registrar_schema;

/* For ConfigSchema.check: what options say together, with tenant.conf and ca.conf where they count.
 */
void registrar_settings_check(const Config *config, GPtrArray *problems);

/* Texts borrow from `config`. False: tenant.conf, which may name the store of certificates, is
 * unusable. */
bool registrar_settings_read(const Config *config, RegistrarSettings *out, GError **error);
void registrar_settings_clear(RegistrarSettings *settings);
