/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's effective settings: options resolved to what the program uses, checked against each
 * other (push-agent §3.3; contract C36-C62).
 */
#pragma once

#include "agent/backoff.h"
#include "agent/tpm_device.h"
#include "agent/url.h"
#include "config/config.h"

#define SETTINGS_ERROR (settings_error_quark())
typedef enum { SETTINGS_ERROR_REFUSED } SettingsError;
GQuark settings_error_quark(void);

typedef struct {
    char *keylime_dir;     /* canonical */
    char *agent_data_path; /* absolute, as the next two */
    char *verifier_ca;     /* NULL when certificates are not verified */
    char *registrar_ca;    /* NULL without TLS */
    Url verifier, registrar;
    bool verify_certificates, verify_host_names;
    gint64 interval; /* attestation_interval_seconds */
    unsigned timeout_ms;
    BackoffRules backoff;
    bool report_status;

    char *ima_log_path, *uefi_log_path;
    const char *uefi_version; /* uefi_logs_evidence_version; borrowed */

    KeyTemplate keys;
    bool avoid_tpm;
    uint32_t ek_handle;
    GBytes *endorsement_password; /* NULL = empty */
    bool use_device_identity;
    DeviceIdentitySettings identity;
    GBytes *iak_certificate, *idevid_certificate; /* DER; NULL = none */

    const char *uuid;       /* borrowed from the configuration, as the rest */
    const char *identifier; /* --agent-identifier; NULL = none */
    const char *server_identifier;
    const char *contact_ip;
    unsigned contact_port;
    char **registrar_versions; /* "2.1", ... oldest first */
    const char *run_as;        /* "user:group"; "" = stay; NULL = not set */
} AgentSettings;

/* The rules between options, and what they name on this machine; reads files, opens nothing else.
 * ConfigSchema.check of the agent: loading a configuration and --check-config refuse alike. */
void settings_check(const Config *config, GPtrArray *problems);

/* The settings of a configuration that was loaded, and so checked; logs what an operator should
 * know of them. `config` must outlive the result. NULL and SETTINGS_ERROR when the machine has
 * changed meanwhile. */
AgentSettings *settings_new(const Config *config, GError **error);
void settings_free(AgentSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AgentSettings, settings_free)
