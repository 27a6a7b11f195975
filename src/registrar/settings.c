/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/settings.h"

#include "http/service_options.h"

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

static char *store_of(const Config *config, GError **error)
{
    if (config_is_set(config, NULL, "tpm_cert_store"))
        return g_strdup(config_text(config, NULL, "tpm_cert_store"));
    g_autoptr(Config) tenant = config_load(&tenant_schema, NULL, error);
    return tenant ? g_strdup(config_text(tenant, NULL, "tpm_cert_store")) : NULL;
}

void registrar_settings_check(const Config *config, GPtrArray *problems)
{
    gint64 plain = config_int(config, NULL, "port"), tls = config_int(config, NULL, "tls_port");
    if (plain == 0 && tls == 0)
        config_add_problem(config, problems, NULL, "tls_port",
                           "port and tls_port are both 0: one of them must be set");
    else if (plain == tls)
        config_add_problem(config, problems, NULL, "tls_port", "must be another one than port");
    service_check(config, "registrar", tls != 0, problems);
    g_autoptr(GError) error = NULL;
    g_autofree char *store = store_of(config, &error);
    if (!store)
        config_add_problems(problems, error);
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
    *out = (RegistrarSettings){
        .ek_cert_check = ek_check_of(config_text(config, NULL, "ek_cert_check")),
        .malformed = malformed_of(config_text(config, NULL, "malformed_cert_action")),
        .identity_tombstone = config_int(config, NULL, "identity_tombstone"),
        .register_rate_limit_per_ip =
            (unsigned)config_int(config, NULL, "register_rate_limit_per_ip"),
        .tpm_cert_store = store_of(config, error),
    };
    return out->tpm_cert_store != NULL;
}

void registrar_settings_clear(RegistrarSettings *settings)
{
    g_clear_pointer(&settings->tpm_cert_store, g_free);
}
