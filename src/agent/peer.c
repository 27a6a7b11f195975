/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.http"

#include "agent/peer.h"

#include "base/log.h"
#include "base/secret.h"

#include <string.h>

G_DEFINE_QUARK(keylime - peer - error, peer_error)

#define REQUEST_ID_SIZE 6
/* A verifier restart of seconds must not end in a missed deadline (README 3, row 28). */
#define QUICK_RETRY_MAX_MS 10000

static void show_life(gpointer waiter)
{
    waiter_show_life(waiter);
}

bool peer_open(Peer *peer, GError **error)
{
    HttpClientSettings settings = {
        .ca_file = peer->names.ca_file,
        .verify_peer = peer->names.ca_file != NULL,
        .verify_host = peer->verify_host_names,
        .timeout_ms = peer->timeout_ms,
        .max_answer = 1024 * 1024,
        .max_values = 16384, /* ten times what the longest answer of a server holds */
        .wake_fd = waiter_fd(peer->waiter),
        .turned = show_life,
        .turned_context = peer->waiter,
    };
    g_autoptr(GError) reason = NULL;
    peer->client = http_client_new(&settings, &reason);
    if (peer->client)
        return true;
    g_autofree char *text = remedy_for_ca_file(reason, &peer->names);
    g_set_error_literal(error, reason->domain, reason->code, text);
    return false;
}

void peer_close(Peer *peer)
{
    g_clear_pointer(&peer->client, http_client_free);
}

/* Uniform in [0, 1). */
static double random_fraction(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof bits);
    return bits / 4294967296.0;
}

static void make_request_id(char out[REQUEST_ID_SIZE + 1])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t bytes[REQUEST_ID_SIZE];
    secret_random(bytes, sizeof bytes);
    for (int i = 0; i < REQUEST_ID_SIZE; i++)
        out[i] = alphabet[bytes[i] % (sizeof alphabet - 1)];
    out[REQUEST_ID_SIZE] = '\0';
}

/* --- one attempt
 * ------------------------------------------------------------------------------------ */

/* Names are lower-case, as on upstream's wire; the token's value shows as a fingerprint only. */
static void log_request(const PeerRequest *request, const char *request_id)
{
    log_debug("Sending request(method:%s, url:%s) with headers:", request->method, request->url);
    log_debug("  x-request-id: \"%s\"", request_id);
    if (request->content_type)
        log_debug("  content-type: \"%s\"", request->content_type);
    log_debug("  accept: \"%s\"", request->accept);
    if (request->token && log_enabled(LOG_LEVEL_DEBUG)) {
        g_autofree char *fingerprint = secret_fingerprint(request->token);
        /* The word DEBUG and this form are what scripts search for (push-agent §12). */
        log_debug("  authorization: \"Bearer <hash:%s>\"", fingerprint);
    }
}

static HttpAnswer *send_once(Peer *peer, const PeerRequest *request, const char *request_id,
                             GError **error)
{
    g_autofree char *id = g_strconcat("x-request-id: ", request_id, NULL);
    g_autofree char *accept = g_strconcat("accept: ", request->accept, NULL);
    const char *headers[5] = {id, accept};
    size_t count = 2;
    g_autofree char *type = NULL;
    if (request->content_type)
        headers[count++] = type = g_strconcat("content-type: ", request->content_type, NULL);
    char *authorization = NULL;
    if (request->token)
        headers[count++] = authorization =
            g_strconcat("authorization: Bearer ", request->token, NULL);
    log_request(request, request_id);
    HttpAnswer *answer = http_client_send(peer->client, request->method, request->url, headers,
                                          bytes_of_text(request->body), error);
    secret_free_text(authorization);
    if (answer)
        log_debug("Response code: %u", answer->status);
    return answer;
}

/* --- retries
 * ---------------------------------------------------------------------------------------- */

typedef struct {
    gint64 delay_ms;
    char *cause; /* for the WARNING */
} Retry;

static bool connection_was_lost(const GError *error)
{
    return !g_error_matches(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_TIMEOUT);
}

static gint64 transport_delay(Peer *peer, const GError *error, unsigned retry)
{
    if (retry == 0 && peer->quick_retry_ms > 0 && connection_was_lost(error))
        return MIN(peer->quick_retry_ms, QUICK_RETRY_MAX_MS);
    return backoff_delay(peer->backoff, retry, random_fraction());
}

static bool is_retryable(unsigned status)
{
    return status == 408 || status == 429 || status >= 500;
}

static bool may_send_retry_after(unsigned status)
{
    return status == 429 || status == 503;
}

/* Whether this outcome is tried again, and when. */
static bool plan_retry(Peer *peer, const HttpAnswer *answer, const GError *error, unsigned retry,
                       Retry *out)
{
    if (answer) {
        if (!is_retryable(answer->status))
            return false;
        out->delay_ms = may_send_retry_after(answer->status) && answer->retry_after >= 0
                            ? backoff_retry_after(answer->retry_after)
                            : backoff_delay(peer->backoff, retry, random_fraction());
        out->cause = g_strdup_printf("the %s answered %u", peer->names.server, answer->status);
        return true;
    }
    if (g_error_matches(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CANCELLED) ||
        g_error_matches(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_URL) ||
        g_error_matches(error, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CA_FILE))
        return false;
    out->delay_ms = transport_delay(peer, error, retry);
    out->cause = remedy_for_transport(error, &peer->names);
    return true;
}

static void set_final_error(Peer *peer, const PeerRequest *request, const GError *cause,
                            GError **error)
{
    if (g_error_matches(cause, HTTP_CLIENT_ERROR, HTTP_CLIENT_ERROR_CANCELLED) ||
        !waiter_is_quiet(peer->waiter)) {
        g_set_error_literal(error, PEER_ERROR, PEER_ERROR_CANCELLED, "interrupted by a signal");
        return;
    }
    g_autofree char *text = remedy_for_transport(cause, &peer->names);
    g_set_error(error, PEER_ERROR, PEER_ERROR_TRANSPORT, "%s %s: %s", request->method, request->url,
                text);
}

HttpAnswer *peer_send(Peer *peer, const PeerRequest *request, GError **error)
{
    char request_id[REQUEST_ID_SIZE + 1];
    make_request_id(request_id);
    unsigned retries = request->once ? 0 : peer->backoff->max_retries;
    for (unsigned attempt = 0;; attempt++) {
        g_autoptr(GError) cause = NULL;
        g_autoptr(HttpAnswer) answer = send_once(peer, request, request_id, &cause);
        Retry retry = {0};
        bool again = attempt < retries && plan_retry(peer, answer, cause, attempt, &retry);
        g_autofree char *why = retry.cause;
        bool late = again && request->not_after != 0 &&
                    timestamp_now() + retry.delay_ms * 1000 > request->not_after;
        if (!again || late) {
            if (answer)
                return g_steal_pointer(&answer);
            set_final_error(peer, request, cause, error);
            return NULL;
        }
        log_warning("%s; %s %s, attempt %u of %u, next in %.1f s", why, request->method,
                    request->url, attempt + 1, retries + 1, (double)retry.delay_ms / 1000.0);
        if (!waiter_sleep(peer->waiter, retry.delay_ms)) {
            g_set_error_literal(error, PEER_ERROR, PEER_ERROR_CANCELLED, "interrupted by a signal");
            return NULL;
        }
    }
}
