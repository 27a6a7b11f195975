/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose: what stands between this machine and the servers, and what mends it (contract U20). */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "base/timestamp.h"
#include "tenant/commands.h"

#include <stdlib.h>

/* Beyond this, challenges and new certificates seem expired or not yet valid to one side. */
#define CLOCK_TOLERANCE 30
/* The servers renew their own certificates before this (decision D114). */
#define EXPIRY_NOTICE_DAYS 30
#define DAY 86400

typedef struct {
    Server *server;
    const char *kind; /* "verifier" or "registrar" */
    Json *findings;   /* array of texts, all of them */
    unsigned problems;
} Diagnosis;

static void note(Diagnosis *self, LogLevel level, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void note(Diagnosis *self, LogLevel level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (level == LOG_LEVEL_ERROR)
        self->problems++;
    json_object_array_add(self->findings, json_new_text(text));
    log_write(LOG_NAME, level, "%s: %s", server_words(self->server), text);
}

/* --- the connection
 * --------------------------------------------------------------------------------- */

static void explain_unreachable(Diagnosis *self, const GError *error)
{
    const char *kind = self->kind;
    switch (error->code) {
    case HTTP_CLIENT_ERROR_CERTIFICATE:
        note(self, LOG_LEVEL_ERROR,
             "%s. Compare trusted_server_ca, client_cert and client_key of tenant.conf with the "
             "files of the %s, and the names in its certificate with %s_ip",
             error->message, kind, kind);
        break;
    case HTTP_CLIENT_ERROR_TLS:
        note(self, LOG_LEVEL_ERROR,
             "%s. Is %s_port of tenant.conf the port with TLS (8881 of a verifier, 8891 of a "
             "registrar)?",
             error->message, kind);
        break;
    default:
        note(self, LOG_LEVEL_ERROR,
             "%s. Does it run there (systemctl status keylime_%s), does it listen on that address "
             "(its option ip), and are %s_ip and %s_port of tenant.conf right?",
             error->message, kind, kind, kind);
    }
}

static void judge_certificate(Diagnosis *self, const ServerProbe *probe)
{
    if (probe->certificate_expires == 0)
        return;
    gint64 days = (probe->certificate_expires - timestamp_now() / TIMESTAMP_SECOND) / DAY;
    if (days < EXPIRY_NOTICE_DAYS)
        note(self, LOG_LEVEL_WARNING,
             "its certificate expires in %" G_GINT64_FORMAT
             " days: restart the %s to renew one that it made itself, or give it a new one",
             days, self->kind);
    else
        note(self, LOG_LEVEL_INFO, "its certificate is valid for %" G_GINT64_FORMAT " days", days);
}

static void judge_clock(Diagnosis *self, const ServerProbe *probe)
{
    if (!probe->clock_known)
        return;
    if (llabs(probe->clock_ahead) <= CLOCK_TOLERANCE)
        note(self, LOG_LEVEL_INFO, "its clock agrees with this machine's");
    else
        note(self, LOG_LEVEL_ERROR,
             "its clock is %lld s %s this machine's: let both follow a time server (timedatectl "
             "status)",
             llabs(probe->clock_ahead), probe->clock_ahead > 0 ? "ahead of" : "behind");
}

/* --- what it is
 * ------------------------------------------------------------------------------------- */

static void judge_version(Diagnosis *self, const ServerProbe *probe)
{
    bool verifier = g_str_equal(self->kind, "verifier");
    if (verifier && probe->status == 410)
        note(self, LOG_LEVEL_INFO, "a verifier in push mode, API version 3.0");
    else if (verifier && probe->status == 200)
        note(self, LOG_LEVEL_ERROR,
             "it is no verifier in push mode: set mode = push in its verifier.conf");
    else if (probe->status != 200)
        note(self, LOG_LEVEL_ERROR,
             "it answers /version with %u, as no %s does: is another service on this port?",
             probe->status, self->kind);
    else if (!probe->version)
        note(self, LOG_LEVEL_ERROR, "it offers none of the API versions 2.0 to 2.6");
    else
        note(self, LOG_LEVEL_INFO, "API version %s", probe->version);
}

/* Whether the certificate that this machine shows is an administrator's: any agent's record will
 * do, there or not. */
static void judge_own_rights(Diagnosis *self, const Tenant *tenant)
{
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    g_autoptr(GError) error = NULL;
    g_autoptr(ServerAnswer) answer = server_send(self->server, "GET", "2.6", path, NULL, &error);
    if (!answer)
        explain_unreachable(self, error);
    else if (answer->status == 200 || answer->status == 404)
        note(self, LOG_LEVEL_INFO, "this machine's certificate is an administrator's");
    else if (answer->status == 401 || answer->status == 403)
        note(self, LOG_LEVEL_ERROR,
             "this machine's certificate is not taken as an administrator's (%u %s): client_cert "
             "must be for clients, or its name listed in admin_certificate_names of the %s",
             answer->status, answer->text, self->kind);
    else
        note(self, LOG_LEVEL_ERROR, "it answers %u %s: see its log", answer->status, answer->text);
}

static void diagnose(Diagnosis *self, const Tenant *tenant)
{
    ServerProbe probe;
    g_autoptr(GError) error = NULL;
    if (!server_probe(self->server, &probe, &error)) {
        explain_unreachable(self, error);
        return;
    }
    judge_certificate(self, &probe);
    judge_clock(self, &probe);
    judge_version(self, &probe);
    judge_own_rights(self, tenant);
}

bool tenant_diagnose(Tenant *tenant, GError **error)
{
    Diagnosis parts[] = {{tenant->registrar, "registrar", json_object_new_array(), 0},
                         {tenant->verifier, "verifier", json_object_new_array(), 0}};
    g_autoptr(Json) report = json_object_new_object();
    unsigned problems = 0;
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        diagnose(&parts[i], tenant);
        problems += parts[i].problems;
        json_add(report, parts[i].kind, parts[i].findings);
    }
    if (tenant->arguments->json)
        tenant_print(tenant, "", report);
    return problems == 0 ||
           tenant_fail(error, "%u problem%s found", problems, problems == 1 ? "" : "s");
}
