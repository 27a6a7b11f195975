/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/settings.h"

/* A handler blocks on its database connection while others can work: more threads than CPUs. */
#define WORKERS_PER_IO_THREAD 4
#define DEFAULT_STORE "/var/lib/keylime/tpm_cert_store"

/* The one option of tenant.conf that upstream's registrar reads (registrar-api §2.1). */
static const Option tenant_options[] = {
    {.section = "tenant",
     .name = "tpm_cert_store",
     .type = OPTION_TEXT,
     .default_text = DEFAULT_STORE,
     .help = "Directory of the TPM vendors' CA certificates."},
    {NULL},
};

static const ConfigSchema tenant_schema = {
    .component = "tenant",
    .format = CONFIG_INI,
    .options = tenant_options,
    .program = "keylime_registrar",
    .summary = "The tenant's option that the registrar shares.",
    .partial = true,
};

/* max_workers caps one I/O thread for each CPU; 0 is no cap (configuration-and-operations §4). */
static unsigned io_threads_of(const Config *config)
{
    unsigned cap = (unsigned)config_int(config, NULL, "max_workers");
    unsigned processors = g_get_num_processors();
    return cap > 0 && cap < processors ? cap : processors;
}

static unsigned connections_of(const Config *config)
{
    g_auto(GStrv) parts = g_strsplit(config_text(config, NULL, "database_pool_sz_ovfl"), ",", 2);
    guint64 sum = 0;
    for (unsigned i = 0; parts[i]; i++)
        sum += g_ascii_strtoull(g_strstrip(parts[i]), NULL, 10);
    return (unsigned)sum;
}

static char *store_of(const Config *config, GError **error)
{
    const char *own = config_text(config, NULL, "tpm_cert_store");
    if (own)
        return g_strdup(own);
    g_autoptr(Config) tenant = config_load(&tenant_schema, NULL, error);
    return tenant ? g_strdup(config_text(tenant, NULL, "tpm_cert_store")) : NULL;
}

static EkCheck ek_check_of(const char *word)
{
    if (g_ascii_strcasecmp(word, "off") == 0)
        return EK_CHECK_OFF;
    return g_ascii_strcasecmp(word, "require") == 0 ? EK_CHECK_REQUIRE : EK_CHECK_WARN;
}

static MalformedAction malformed_of(const char *word)
{
    if (g_ascii_strcasecmp(word, "ignore") == 0)
        return MALFORMED_IGNORE;
    return g_ascii_strcasecmp(word, "reject") == 0 ? MALFORMED_REJECT : MALFORMED_WARN;
}

bool registrar_settings_read(const Config *config, RegistrarSettings *out, GError **error)
{
    unsigned io_threads = io_threads_of(config);
    *out = (RegistrarSettings){
        .ip = config_text(config, NULL, "ip"),
        .port = (unsigned)config_int(config, NULL, "port"),
        .tls_port = (unsigned)config_int(config, NULL, "tls_port"),
        .ek_cert_check = ek_check_of(config_text(config, NULL, "ek_cert_check")),
        .malformed = malformed_of(config_text(config, NULL, "malformed_cert_action")),
        .identity_tombstone = config_int(config, NULL, "identity_tombstone"),
        .register_rate_limit_per_ip =
            (unsigned)config_int(config, NULL, "register_rate_limit_per_ip"),
        .tpm_cert_store = store_of(config, error),
        .io_threads = io_threads,
        .workers = io_threads * WORKERS_PER_IO_THREAD,
        .database_connections = connections_of(config),
        .max_upload_size = (size_t)config_int(config, NULL, "max_upload_size"),
        .drain_seconds = (unsigned)config_int(config, NULL, "shutdown_drain_timeout"),
    };
    return out->tpm_cert_store != NULL;
}

void registrar_settings_clear(RegistrarSettings *settings)
{
    g_clear_pointer(&settings->tpm_cert_store, g_free);
}
