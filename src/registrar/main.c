/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_registrar: what its server stands on (http/service.h is the rest of its life).
 */
#define LOG_NAME "keylime.registrar"
#include "base/log.h"
#include "http/service.h"
#include "registrar/rate_limit.h"
#include "registrar/registrar.h"
#include "store/database_options.h"

static bool open_parts(gpointer context, const Config *config, GError **error)
{
    Registrar *registrar = context;
    if (!registrar_settings_read(config, &registrar->settings, error))
        return false;
    if (registrar->settings.ek_cert_check == EK_CHECK_OFF)
        log_warning("EK certificates are not checked (ek_cert_check = off)");
    registrar->trust = tpm_trust_new(registrar->settings.tpm_cert_store);
    registrar->rate_limit = rate_limit_new(registrar->settings.register_rate_limit_per_ip);
    registrar->database =
        database_open_configured(config, "registrar.sqlite", registrar_migrations, error);
    return registrar->database != NULL;
}

/* Backwards; parts that were never made are NULL. */
static void close_parts(gpointer context)
{
    Registrar *registrar = context;
    database_close(registrar->database);
    rate_limit_free(registrar->rate_limit);
    tpm_trust_free(registrar->trust);
    registrar_settings_clear(&registrar->settings);
}

int main(int argc, char **argv)
{
    Registrar registrar = {0};
    const Service service = {
        .schema = &registrar_schema,
        .greeting = "Starting Keylime registrar...",
        .status = "Serving registrations",
        .plain_port = "port",
        .tls_port = "tls_port",
        .routes = registrar_routes,
        .v3_as_v2 = true,
        .context = &registrar,
        .open = open_parts,
        .close = close_parts,
    };
    return service_main(&service, argc, argv);
}
