/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what stands between this machine and the servers, and what mends it (contract U20). */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "base/timestamp.h"
#include "pki/pem_file.h"
#include "tenant/commands.h"

#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <time.h>

/* Beyond this, challenges and new certificates seem expired or not yet valid to one side. */
#define CLOCK_TOLERANCE 30
/* The servers renew their own certificates before this (decision D114). */
#define EXPIRY_NOTICE_DAYS 30
#define DAY 86400

typedef struct {
    Server *server;    /* NULL: this machine */
    const char *kind;  /* "verifier", "registrar" or "tenant" */
    const char *words; /* what a line begins with */
    Json *findings;    /* array of {level, message} */
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
    Json *finding = json_object_new_object();
    json_add_text(finding, "level",
                  level == LOG_LEVEL_ERROR     ? "ERROR"
                  : level == LOG_LEVEL_WARNING ? "WARNING"
                                               : "INFO");
    json_add_text(finding, "message", text);
    json_object_array_add(self->findings, finding);
    log_write(LOG_NAME, level, "%s: %s", self->words, text);
}

/* --- this machine --------------------------------------------------------------------------------
 */

static void judge_own_certificate(Diagnosis *self, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(X509) certificate = pem_file_certificate(path, &error);
    if (!certificate) {
        note(self, LOG_LEVEL_ERROR, "%s", error->message);
        return;
    }
    static const char remedy[] =
        "restart the verifier that made it and copy it anew, or make another one: keylime_ca -c "
        "bundle --for tenant";
    int days = 0, seconds = 0;
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        note(self, LOG_LEVEL_ERROR,
             "the client certificate %s is not valid yet: is this machine's clock right "
             "(timedatectl "
             "status)?",
             path);
    else if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) || days < 0 ||
             seconds < 0)
        note(self, LOG_LEVEL_ERROR, "the client certificate %s has expired: %s", path, remedy);
    else if (days < EXPIRY_NOTICE_DAYS)
        note(self, LOG_LEVEL_WARNING, "the client certificate %s expires in %d days: %s", path,
             days, remedy);
    else
        note(self, LOG_LEVEL_INFO,
             "the client certificate %s is for clients, and valid for %d days", path, days);
}

static void judge_trust(Diagnosis *self, const TlsFiles *tls)
{
    if (tls->trust_all)
        note(
            self, LOG_LEVEL_WARNING,
            "trusted_server_ca = all: anybody may answer in place of the servers; name the file of "
            "their CA");
    for (guint i = 0; tls->trusted_ca[i]; i++) {
        g_autoptr(X509) authority = pem_file_certificate(tls->trusted_ca[i], NULL);
        if (authority && X509_cmp_current_time(X509_get0_notAfter(authority)) < 0)
            note(
                self, LOG_LEVEL_ERROR,
                "the CA certificate %s has expired: every certificate of it is refused; make a new "
                "CA (keylime_ca -c init) and certificates of it",
                tls->trusted_ca[i]);
    }
}

/* What tenant_connect() refuses is a finding like others: file, reason, remedy. */
static void diagnose_own(Diagnosis *self, Tenant *tenant)
{
    g_autoptr(GError) error = NULL;
    bool connected = tenant_connect(tenant, &error);
    if (tenant->tls) {
        judge_own_certificate(self, tenant->tls->certificate);
        judge_trust(self, tenant->tls);
    }
    if (!connected)
        note(self, LOG_LEVEL_ERROR, "%s", error->message);
}

/* --- the connection ------------------------------------------------------------------------------
 */

static const char *certificate_remedy(const Diagnosis *self)
{
    switch (server_certificate_fault(self->server)) {
    case X509_V_OK:
        return "use a name of those, or let the server's certificate have this one: its option "
               "cert_subject_alternative_names, and a new server-cert.crt";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "restart the server to renew a certificate that it made itself, or give it a new "
               "one";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "let both machines follow a time server (timedatectl status)";
    case X509_V_ERR_INVALID_PURPOSE:
        return "it is no certificate for a server: give it one made by keylime_ca -c create --role "
               "server";
    default:
        return "copy the cacert.crt that the server's certificate comes from to this machine, and "
               "name it in trusted_server_ca of tenant.conf";
    }
}

static void explain_unreachable(Diagnosis *self, const GError *error)
{
    const char *kind = self->kind;
    switch (error->code) {
    case HTTP_CLIENT_ERROR_CERTIFICATE:
        note(self, LOG_LEVEL_ERROR, "%s: %s", error->message, certificate_remedy(self));
        break;
    case HTTP_CLIENT_ERROR_OWN_CERTIFICATE:
        note(self, LOG_LEVEL_ERROR,
             "%s: it must be of the CA in trusted_client_ca of the %s, and neither expired nor "
             "revoked; keylime_ca -c bundle --for tenant makes one (client_cert and client_key of "
             "tenant.conf)",
             error->message, kind);
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
    gint64 left = probe->certificate_expires - timestamp_now() / TIMESTAMP_SECOND;
    if (left < 0) /* seen only where certificates are not checked */
        note(self, LOG_LEVEL_ERROR, "its certificate has expired: give it a new one");
    else if (left / DAY < EXPIRY_NOTICE_DAYS)
        note(self, LOG_LEVEL_WARNING,
             "its certificate expires in %" G_GINT64_FORMAT
             " days: restart the %s to renew one that it made itself, or give it a new one",
             left / DAY, self->kind);
    else
        note(self, LOG_LEVEL_INFO, "its certificate is valid for %" G_GINT64_FORMAT " days",
             left / DAY);
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

/* --- what it is ----------------------------------------------------------------------------------
 */

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

static unsigned diagnose_server(Tenant *tenant, const char *kind, Server *server, Json *report)
{
    Diagnosis part = {server, kind, server_words(server), json_object_new_array(), 0};
    diagnose(&part, tenant);
    json_add(report, kind, part.findings);
    return part.problems;
}

bool tenant_doctor(Tenant *tenant, GError **error)
{
    Json *report = json_object_new_object();
    Diagnosis own = {NULL, "tenant", "This machine", json_object_new_array(), 0};
    diagnose_own(&own, tenant);
    json_add(report, own.kind, own.findings);
    unsigned problems = own.problems;
    if (tenant->registrar) {
        problems += diagnose_server(tenant, "registrar", tenant->registrar, report);
        problems += diagnose_server(tenant, "verifier", tenant->verifier, report);
    }
    tenant_set_result(tenant, report);
    return problems == 0 ||
           tenant_fail(error, "%u problem%s found", problems, problems == 1 ? "" : "s");
}
