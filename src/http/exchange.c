/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.web"
#include "http/exchange.h"

#include "base/log.h"
#include "http/message_parts.h"

#include <time.h>

/* A path in the log: enough for every real one, nothing for who fills disks. */
#define LOGGED_PATH_MAX 300

Exchange *exchange_new(void)
{
    Exchange *exchange = g_new0(Exchange, 1);
    exchange->request = http_request_empty();
    exchange->response = http_response_new();
    exchange->started = g_get_monotonic_time();
    return exchange;
}

void exchange_free(Exchange *exchange)
{
    if (!exchange)
        return;
    http_request_free(exchange->request);
    http_response_free(exchange->response);
    g_free(exchange);
}

/* Word characters, at most 36: what is echoed can then break neither a header nor a log line. */
static void read_request_id(Exchange *exchange)
{
    const char *sent = http_request_header(exchange->request, "X-Request-ID");
    size_t size = 0;
    for (; sent && *sent && size < REQUEST_ID_MAX; sent++) {
        if (g_ascii_isalnum(*sent) || *sent == '_')
            exchange->request_id[size++] = *sent;
    }
    exchange->request_id[size] = '\0';
}

void exchange_begin(Exchange *exchange)
{
    read_request_id(exchange);
}

static void log_request(Exchange *exchange)
{
    if (exchange->logged || !log_enabled(LOG_LEVEL_INFO))
        return;
    exchange->logged = true;
    const HttpRequest *request = exchange->request;
    const char *path = request->path ? request->path : "(unreadable)";
    /* Bytes above 0x7e come from paths that are about to be refused. */
    g_autofree char *safe = g_strescape(path, NULL);
    log_info("%s %.*s", request->verb[0] ? request->verb : "(no method)", LOGGED_PATH_MAX, safe);
}

static void format_elapsed(gint64 microseconds, char *out, size_t size)
{
    if (microseconds < 1000)
        g_snprintf(out, size, "%d\u03bcs", (int)microseconds);
    else if (microseconds < 1000000)
        g_snprintf(out, size, "%dms", (int)((microseconds + 500) / 1000));
    else
        g_snprintf(out, size, "%" G_GINT64_FORMAT "s", (microseconds + 500000) / 1000000);
}

/* RFC 9110 §6.6.1; an operator's tools see from it whether the clocks agree. Written once a second.
 */
static void add_date(HttpResponse *response)
{
    static _Thread_local time_t second;
    static _Thread_local char text[sizeof "Sun, 06 Nov 1994 08:49:37 GMT"];
    time_t now = time(NULL);
    struct tm parts;
    if (now != second && gmtime_r(&now, &parts)) {
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        second = now;
    }
    http_response_header(response, "Date", text);
}

void exchange_end(Exchange *exchange)
{
    add_date(exchange->response);
    /* Present and empty when none was sent, as upstream (registrar-api §3.4). */
    http_response_header(exchange->response, "X-Request-Id", exchange->request_id);
    unsigned status = exchange->response->status;
    LogLevel level = status >= 500   ? LOG_LEVEL_ERROR
                     : status >= 400 ? LOG_LEVEL_WARNING
                                     : LOG_LEVEL_INFO;
    if (!log_enabled(level))
        return;
    char elapsed[32];
    format_elapsed(g_get_monotonic_time() - exchange->started, elapsed, sizeof elapsed);
    log_set_request_id(exchange->request_id);
    log_request(exchange);
    log_write(LOG_NAME, level, "Sent %u in %s", status, elapsed);
    log_set_request_id(NULL);
}

void exchange_serve(Exchange *exchange, Gate *gate)
{
    log_gather();
    log_set_request_id(exchange->request_id);
    log_request(exchange);
    gate_serve(gate, exchange->route, exchange->request, exchange->response);
    exchange_end(exchange);
    log_set_request_id(NULL);
    log_gather_end();
}
