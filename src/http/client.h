/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client of agent and tenant: one kept-alive connection (libcurl), no redirects, only the
 * configured trust, errors with a cause that a person can act on.
 */
#pragma once

#include "base/json.h"

typedef struct HttpClient HttpClient;

typedef struct {
    const char *ca_file;              /* PEM bundle; the only trust. NULL with verify_peer false */
    const char *const *more_ca_files; /* further bundles, NULL-terminated; NULL = none */
    const char *client_certificate, *client_key, *client_key_password; /* NULL = none */
    bool verify_peer, verify_host;
    unsigned timeout_ms;       /* connecting, and silence; not the upload itself (D56) */
    unsigned total_timeout_ms; /* the whole request; 0 = as long as there is no silence */
    size_t max_answer; /* bytes of an answer's body, and twice what was sent: it may be repeated,
                          as upstream's verifier repeats evidence; 0 = 16 MiB */
    bool cut_answer;   /* what is beyond is not read, instead of TOO_LARGE */
    size_t max_values; /* of an answer's JSON, which takes far more memory than its text; 0 = any */
    int wake_fd;       /* readable = give up at once with CANCELLED; -1 = none */
    /* Called at least once a second while a request is under way; NULL = nobody wants to know. */
    void (*turned)(gpointer context);
    gpointer turned_context;
} HttpClientSettings;

#define HTTP_CLIENT_ERROR (http_client_error_quark())
typedef enum {
    HTTP_CLIENT_ERROR_URL,
    HTTP_CLIENT_ERROR_RESOLVE, /* name not found */
    HTTP_CLIENT_ERROR_CONNECT, /* refused, unreachable */
    HTTP_CLIENT_ERROR_TIMEOUT,
    HTTP_CLIENT_ERROR_CERTIFICATE, /* untrusted, expired, wrong name: the text says which */
    HTTP_CLIENT_ERROR_TLS,         /* no TLS on this port, protocol failure */
    HTTP_CLIENT_ERROR_BROKEN,      /* connection cut, garbage */
    HTTP_CLIENT_ERROR_TOO_LARGE,
    HTTP_CLIENT_ERROR_CA_FILE,
    HTTP_CLIENT_ERROR_CANCELLED,
    HTTP_CLIENT_ERROR_OWN_CERTIFICATE, /* the client's: unusable, or refused by the server */
} HttpClientError;
GQuark http_client_error_quark(void);

HttpClient *http_client_new(const HttpClientSettings *settings, GError **error);
void http_client_free(HttpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpClient, http_client_free)

typedef struct {
    unsigned status;
    GBytes *body;
    char *location;     /* Location header or NULL */
    gint64 date;        /* Date header, seconds since the epoch; -1 = absent or unusable */
    gint64 retry_after; /* whole seconds of Retry-After (HTTP-date too); -1 = absent or unusable */
    char *remote_address; /* "127.0.0.1:8881", for messages */
    size_t max_values;    /* as in the settings: http_answer_json() holds to it */
} HttpAnswer;
void http_answer_free(HttpAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpAnswer, http_answer_free)

/*
 * Send one request and read the whole answer. `headers`: NULL-terminated "Name: value" lines, or
 * NULL. `body` BYTES_EMPTY with method GET/DELETE sends none. Any HTTP status is an answer, not an
 * error.
 */
HttpAnswer *http_client_send(HttpClient *client, const char *method, const char *url,
                             const char *const *headers, Bytes body, GError **error);
/* The answer's body as a JSON object; NULL if it is none, or larger than allowed. New reference. */
Json *http_answer_json(const HttpAnswer *answer);

/* The PEM bundle of the authorities that this machine trusts for servers of the Internet: what the
 * variable CURL_CA_BUNDLE names, as for curl and upstream's tenant, or libcurl's own. Borrowed. */
const char *http_client_system_ca_file(void);

/* Until when the certificate of the last TLS handshake is valid, in seconds since the epoch; 0 =
 * there was none. */
gint64 http_client_certificate_expires(const HttpClient *client);
/* What was wrong with it: X509_V_..., X509_V_OK = nothing, or no more than the host's name. */
int http_client_certificate_fault(const HttpClient *client);

/* "receiver.example:443" of a http(s) URL, newly allocated; NULL: it is none. */
char *http_url_host(const char *url);

/* One path segment, percent-encoded; newly allocated. */
char *http_encode_segment(const char *segment);
