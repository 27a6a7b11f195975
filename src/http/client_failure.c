/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client_failure.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>

/* "verifier.example:8881 (192.0.2.1:8881)" */
static char *place(const ClientFailure *failure)
{
    if (!*failure->addresses || strcmp(failure->addresses, failure->host) == 0)
        return g_strdup(failure->host);
    return g_strdup_printf("%s (%s)", failure->host, failure->addresses);
}

static GError *fail(const ClientFailure *failure, HttpClientError code, const char *cause)
{
    g_autofree char *where = place(failure);
    return g_error_new(HTTP_CLIENT_ERROR, code, "%s: %s", where, cause);
}

/* --- certificates ---------------------------------------------------------------------------- */

/* What is wrong, with the facts that show it. */
static char *verify_cause(const ClientFailure *failure)
{
    const OfferedCertificate *offered = failure->offered;
    switch (offered->verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return g_strdup_printf("the certificate '%s' expired on %s", offered->subject,
                               offered->not_after);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return g_strdup_printf(
            "the certificate '%s' is valid only from %s on; is the clock of this "
            "machine right?",
            offered->subject, offered->not_before);
    default:
        return g_strdup_printf("%s; the certificate offered is '%s', issued by '%s'; trusted is "
                               "only the CA file %s with '%s'",
                               X509_verify_cert_error_string(offered->verify_error),
                               offered->subject ? offered->subject : "(none)",
                               offered->issuer ? offered->issuer : "(none)",
                               failure->trust ? client_trust_paths(failure->trust) : "(none)",
                               failure->trust ? client_trust_subjects(failure->trust) : "");
    }
}

static GError *certificate_error(const ClientFailure *failure)
{
    const OfferedCertificate *offered = failure->offered;
    g_autofree char *cause = NULL;
    if (offered->verify_error != X509_V_OK)
        cause = verify_cause(failure);
    else if (offered->subject)
        cause = g_strdup_printf("hostname mismatch: the certificate '%s' is not for '%s'; names "
                                "offered: %s",
                                offered->subject, failure->name,
                                *offered->names ? offered->names : "none");
    else
        cause = g_strdup(failure->text);
    g_autofree char *text = g_strdup_printf("certificate verify failed: %s", cause);
    return fail(failure, HTTP_CLIENT_ERROR_CERTIFICATE, text);
}

static GError *own_certificate_error(const ClientFailure *failure)
{
    g_autofree char *text = g_strdup_printf(
        "the client certificate %s or its key cannot be used: %s",
        failure->client_certificate ? failure->client_certificate : "(none)", failure->text);
    return fail(failure, HTTP_CLIENT_ERROR_OWN_CERTIFICATE, text);
}

/* --- TLS ------------------------------------------------------------------------------------- */

static bool text_has(const ClientFailure *failure, const char *part)
{
    return strstr(failure->text, part) != NULL;
}

/* The server ended the connection because of the certificate we sent, or did not send. */
static bool is_refused_by_server(const ClientFailure *failure)
{
    return text_has(failure, "alert unknown ca") || text_has(failure, "alert bad certificate") ||
           text_has(failure, "alert certificate") ||
           text_has(failure, "alert unsupported certificate") ||
           text_has(failure, "certificate required");
}

static GError *refused_error(const ClientFailure *failure)
{
    g_autofree char *text = g_strdup_printf(
        "the server refuses the client certificate %s: %s",
        failure->client_certificate ? failure->client_certificate : "(none was sent)",
        failure->text);
    return fail(failure, HTTP_CLIENT_ERROR_OWN_CERTIFICATE, text);
}

static GError *tls_error(const ClientFailure *failure)
{
    if (failure->offered->verify_error != X509_V_OK)
        return certificate_error(failure);
    if (is_refused_by_server(failure))
        return refused_error(failure);
    /* What OpenSSL says when the first answer is no TLS record. */
    if (text_has(failure, "wrong version number") || text_has(failure, "http request") ||
        text_has(failure, "packet length too long") || text_has(failure, "unknown protocol"))
        return fail(failure, HTTP_CLIENT_ERROR_TLS,
                    "no TLS on this port (is it the port of plain HTTP?)");
    g_autofree char *text = g_strdup_printf("TLS failed: %s", failure->text);
    return fail(failure, HTTP_CLIENT_ERROR_TLS, text);
}

/* --- connections ----------------------------------------------------------------------------- */

static GError *connect_error(const ClientFailure *failure)
{
    const char *cause = failure->os_error == ECONNREFUSED   ? "connection refused"
                        : failure->os_error == ENETUNREACH  ? "network unreachable"
                        : failure->os_error == EHOSTUNREACH ? "host unreachable"
                        : failure->os_error                 ? g_strerror((int)failure->os_error)
                                                            : failure->text;
    return fail(failure, HTTP_CLIENT_ERROR_CONNECT, cause);
}

static GError *timeout_error(const ClientFailure *failure)
{
    /* libcurl's own words, once the connection stands: of the whole request. */
    bool whole = failure->connected && *failure->text;
    g_autofree char *text =
        g_strdup_printf(!failure->connected ? "timeout: no connection within %u ms"
                        : whole             ? "timeout: no whole answer within %u ms"
                                            : "timeout: no sign of life for %u ms",
                        whole ? failure->total_timeout_ms : failure->timeout_ms);
    return fail(failure, HTTP_CLIENT_ERROR_TIMEOUT, text);
}

static GError *broken_error(const ClientFailure *failure)
{
    if (is_refused_by_server(failure))
        return refused_error(failure);
    g_autofree char *text =
        g_strdup_printf("the connection broke: %s",
                        *failure->text ? failure->text : curl_easy_strerror(failure->code));
    return fail(failure, HTTP_CLIENT_ERROR_BROKEN, text);
}

GError *client_failure_error(const ClientFailure *failure)
{
    switch (failure->code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return fail(failure, HTTP_CLIENT_ERROR_URL, failure->text);
    case CURLE_COULDNT_RESOLVE_HOST:
        return fail(failure, HTTP_CLIENT_ERROR_RESOLVE, "name not found");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return fail(failure, HTTP_CLIENT_ERROR_RESOLVE, "the name of the proxy is not found");
    case CURLE_COULDNT_CONNECT:
        return connect_error(failure);
    case CURLE_OPERATION_TIMEDOUT:
        return timeout_error(failure);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return certificate_error(failure);
    case CURLE_SSL_CERTPROBLEM:
        return own_certificate_error(failure);
    case CURLE_SSL_CACERT_BADFILE:
        return fail(failure, HTTP_CLIENT_ERROR_CA_FILE, failure->text);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return tls_error(failure);
    default:
        return broken_error(failure);
    }
}
