/* SPDX-License-Identifier: Apache-2.0 */
/* `[ca]` of ca.conf (configuration-and-operations §6, decision D114). */
#include "config/config.h"
#include "pki/authority.h"

#include <string.h>

static const char *const key_types[] = {"ec", "rsa", NULL};

static const char *check_country(const char *value)
{
    return strlen(value) == 2 || *value == '\0' ? NULL : "must be a country code of two letters";
}

static const char *check_name(const char *value)
{
    return *value ? NULL : "must not be empty";
}

#define TEXT(name_, default_, help_)                                                               \
    {                                                                                              \
        .section = "ca", .name = name_, .type = OPTION_TEXT, .default_text = default_,             \
        .help = help_                                                                              \
    }

static const Option ca_options[] = {
    TEXT("version", "2.6", "Version of the file's format."),
    {.section = "ca",
     .name = "password",
     .type = OPTION_TEXT,
     .default_text = "default",
     .help = "Password of the key store private.yml.",
     .secret = true},
    {.section = "ca",
     .name = "cert_country",
     .type = OPTION_TEXT,
     .default_text = "US",
     .help = "Country (C) in certificates.",
     .check = check_country},
    {.section = "ca",
     .name = "cert_ca_name",
     .type = OPTION_TEXT,
     .default_text = "Keylime Certificate Authority",
     .help = "Common name of the authority.",
     .check = check_name},
    TEXT("cert_state", "MA", "State or province (ST) in certificates."),
    TEXT("cert_locality", "Lexington", "Locality (L) in certificates."),
    TEXT("cert_organization", "Keylime", "Organization (O) in certificates."),
    TEXT("cert_org_unit", "53", "Organizational unit (OU) in certificates."),
    {.section = "ca",
     .name = "cert_ca_lifetime",
     .type = OPTION_INT,
     .default_text = "3650",
     .help = "Days for which the authority's own certificate is valid.",
     .minimum = 1,
     .maximum = 36500},
    {.section = "ca",
     .name = "cert_lifetime",
     .type = OPTION_INT,
     .default_text = "365",
     .help = "Days for which server and client certificates are valid; they are renewed after two "
             "thirds of it.",
     .minimum = 1,
     .maximum = 36500},
    {.section = "ca",
     .name = "key_type",
     .type = OPTION_WORD,
     .default_text = "ec",
     .help = "Kind of the keys: ec (P-256), or rsa with cert_bits.",
     .words = key_types},
    {.section = "ca",
     .name = "cert_bits",
     .type = OPTION_INT,
     .default_text = "2048",
     .help = "Size of RSA keys, with key_type = rsa.",
     .minimum = 2048,
     .maximum = 16384},
    TEXT("cert_crl_dist", "http://localhost:38080/crl",
         "Where certificates say that their revocation list is; empty = nowhere."),
    {NULL},
};

const ConfigSchema authority_schema = {
    .component = "ca",
    .format = CONFIG_INI,
    .options = ca_options,
    .program = "keylime_ca",
    .summary = "Keylime certificate authority",
};

/* The few texts of a process's one CA; interned because they live as long as it. */
static const char *lasting_text(const Config *config, const char *name)
{
    return g_intern_string(config_text(config, NULL, name));
}

AuthoritySettings *authority_settings_load(GError **error)
{
    g_autoptr(Config) config = config_load(&authority_schema, NULL, error);
    if (!config)
        return NULL;
    AuthoritySettings *settings = g_new0(AuthoritySettings, 1);
    settings->key_type = g_ascii_strcasecmp(config_text(config, NULL, "key_type"), "rsa") == 0
                             ? PKI_KEY_RSA
                             : PKI_KEY_EC_P256;
    settings->rsa_bits = (unsigned)config_int(config, NULL, "cert_bits");
    settings->country = lasting_text(config, "cert_country");
    settings->ca_name = lasting_text(config, "cert_ca_name");
    settings->state = lasting_text(config, "cert_state");
    settings->locality = lasting_text(config, "cert_locality");
    settings->organization = lasting_text(config, "cert_organization");
    settings->org_unit = lasting_text(config, "cert_org_unit");
    settings->ca_lifetime_days = (unsigned)config_int(config, NULL, "cert_ca_lifetime");
    settings->lifetime_days = (unsigned)config_int(config, NULL, "cert_lifetime");
    settings->crl_url = lasting_text(config, "cert_crl_dist");
    settings->password = lasting_text(config, "password");
    return settings;
}
