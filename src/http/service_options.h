/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that every server program has (configuration-and-operations §3, §4, §10), as groups
 * of rows for its table; http/service.h reads them.
 */
#pragma once

#include "config/config.h"
#include "config/option_rows.h"

/* For the groups below. */
const char *service_check_not_empty(const char *value);
const char *service_check_client_ca(const char *value);
const char *service_check_proxy(const char *value);
const char *service_check_no_plug_in(const char *value);
extern const char *const service_authorization_providers[];
extern const char *const service_store_formats[];
extern const char *const service_store_encodings[];

/* For ConfigSchema.check: what these options do not allow together. `tls`: there is an HTTPS
 * listener. */
void service_check(const Config *config, const char *component, bool tls, GPtrArray *problems);

#define SERVICE_VERSION_ROW TEXT("version", "2.6", "Version of this file's format; any is read.")
#define SERVICE_IP_ROW                                                                             \
    TEXT("ip", "127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all of the machine.",         \
         .check = service_check_not_empty)

/* Beside `tls_dir`, whose meaning differs. */
#define SERVICE_TLS_ROWS                                                                           \
    TEXT("server_key", "default", "Private key file; default is server-private.pem in tls_dir."),  \
        TEXT("server_key_password", "", "Password of the private key; empty when it has none.",    \
             .secret = true),                                                                      \
        TEXT("server_cert", "default",                                                             \
             "Certificate file; default is server-cert.crt in tls_dir."),                          \
        TEXT("cert_subject_alternative_names", "",                                                 \
             "Further names and addresses for a generated certificate, separated by commas."),     \
        TEXT("trusted_client_ca", "default",                                                       \
             "CAs whose client certificates are believed; default is cv_ca/cacert.crt, else a"     \
             " list.",                                                                             \
             .check = service_check_client_ca)

#define SERVICE_ACCESS_ROWS                                                                        \
    WORD("authorization_provider", "simple", service_authorization_providers,                      \
         "How requests are authorised."),                                                          \
        LIST("admin_certificate_names", "['client']",                                              \
             "Common names that count as administrator even without the extended key usage"        \
             " clientAuth."),                                                                      \
        BOOL("restrict_admin_names", "False",                                                      \
             "Count only the names of admin_certificate_names as administrators."),                \
        LIST("trusted_proxies", "[]",                                                              \
             "Addresses of reverse proxies whose X-Forwarded-For tells a client's address.",       \
             .check = service_check_proxy)

#define SERVICE_LIMIT_ROWS(max_upload_size_)                                                       \
    INT("max_workers", "16", 0, 1024,                                                              \
        "Most threads that serve connections; 0 is one for each CPU."),                            \
        INT("max_upload_size", max_upload_size_, 4096, 1099511627776.0,                            \
            "Largest request body in bytes."),                                                     \
        REAL("shutdown_drain_timeout", "10", 0, 3600,                                              \
             "Seconds that requests in progress have to end when the program stops.")

/* Options of plug-ins that no program here has: refused rather than ignored, as the operator counts
 * on what they do (decision D117). */
#define SERVICE_PLUG_IN_ROWS(signed_attributes_)                                                   \
    TEXT("durable_attestation_import", "", "Python module; none can be loaded.",                   \
         .check = service_check_no_plug_in),                                                       \
        TEXT("persistent_store_url", "", "Part of durable attestation.",                           \
             .check = service_check_no_plug_in),                                                   \
        TEXT("transparency_log_url", "", "Part of durable attestation.",                           \
             .check = service_check_no_plug_in),                                                   \
        TEXT("time_stamp_authority_url", "", "Part of durable attestation.",                       \
             .check = service_check_no_plug_in),                                                   \
        TEXT("time_stamp_authority_certs_path", "", "Part of durable attestation.",                \
             .check = service_check_no_plug_in),                                                   \
        WORD("persistent_store_format", "json", service_store_formats,                             \
             "Part of durable attestation.", .dead = true),                                        \
        WORD("persistent_store_encoding", "", service_store_encodings,                             \
             "Part of durable attestation.", .dead = true),                                        \
        TEXT("transparency_log_sign_algo", "sha256", "Part of durable attestation.",               \
             .dead = true),                                                                        \
        TEXT("signed_attributes", signed_attributes_, "Part of durable attestation.",              \
             .dead = true)
