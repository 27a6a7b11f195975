/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client_answer.h"

#include "base/secret.h"

#include <string.h>
#include <time.h>

#define MAX_HEADERS ((size_t)256 * 1024)

struct AnswerReader {
    GByteArray *body;
    size_t max_body;
    size_t headers_size;
    char *location;
    char *retry_after;
    char *date;
    bool too_large;
};

static size_t on_body(char *data, size_t unit, size_t count, void *context)
{
    AnswerReader *reader = context;
    size_t size = unit * count;
    if (size > reader->max_body - reader->body->len) {
        reader->too_large = true;
        return 0;
    }
    bytes_append(reader->body, bytes_of(data, size));
    return size;
}

/* Value of `line` if it is the header `name`, newly allocated. */
static char *header_value(const char *line, size_t size, const char *name)
{
    size_t name_size = strlen(name);
    if (size <= name_size || g_ascii_strncasecmp(line, name, name_size) != 0 ||
        line[name_size] != ':')
        return NULL;
    return g_strstrip(g_strndup(line + name_size + 1, size - name_size - 1));
}

static void replace(char **place, char *value)
{
    if (!value)
        return;
    g_free(*place);
    *place = value;
}

static size_t on_header(char *data, size_t unit, size_t count, void *context)
{
    AnswerReader *reader = context;
    size_t size = unit * count;
    reader->headers_size += size;
    if (reader->headers_size > MAX_HEADERS) {
        reader->too_large = true;
        return 0;
    }
    if (size > 5 && memcmp(data, "HTTP/", 5) == 0) {
        /* The status line of the answer itself, after one of 100 or of a proxy. */
        g_clear_pointer(&reader->location, g_free);
        g_clear_pointer(&reader->retry_after, g_free);
        g_clear_pointer(&reader->date, g_free);
    }
    replace(&reader->location, header_value(data, size, "Location"));
    replace(&reader->retry_after, header_value(data, size, "Retry-After"));
    replace(&reader->date, header_value(data, size, "Date"));
    return size;
}

AnswerReader *answer_reader_new(CURL *easy, size_t max_body)
{
    AnswerReader *reader = g_new0(AnswerReader, 1);
    reader->body = g_byte_array_new();
    reader->max_body = max_body;
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, reader);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, reader);
    return reader;
}

void answer_reader_free(AnswerReader *reader)
{
    if (!reader)
        return;
    if (reader->body)
        g_bytes_unref(secret_bytes_take(g_byte_array_free_to_bytes(reader->body)));
    g_free(reader->location);
    g_free(reader->retry_after);
    g_free(reader->date);
    g_free(reader);
}

bool answer_reader_too_large(const AnswerReader *reader)
{
    return reader->too_large;
}

/* Whole seconds from a number or an HTTP-date; -1 = absent or neither (push-agent §6.7). */
static gint64 parse_retry_after(const char *text)
{
    if (!text || !*text)
        return -1;
    if (text[strspn(text, "0123456789")] == '\0')
        return strlen(text) > 18 ? G_MAXINT64 : g_ascii_strtoll(text, NULL, 10);
    if (!g_ascii_isalpha(*text))
        return -1;
    time_t date = curl_getdate(text, NULL);
    if (date == (time_t)-1)
        return -1;
    return MAX((gint64)date - (gint64)time(NULL), 0);
}

HttpAnswer *answer_reader_finish(AnswerReader *reader, CURL *easy)
{
    HttpAnswer *answer = g_new0(HttpAnswer, 1);
    long status = 0, port = 0;
    char *address = NULL;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    answer->status = (unsigned)status;
    /* A session's token may be in it. */
    answer->body = secret_bytes_take(g_byte_array_free_to_bytes(g_steal_pointer(&reader->body)));
    answer->location = g_steal_pointer(&reader->location);
    answer->retry_after = parse_retry_after(reader->retry_after);
    answer->date = reader->date ? (gint64)curl_getdate(reader->date, NULL) : -1;
    bool is_v6 = address && strchr(address, ':');
    answer->remote_address =
        g_strdup_printf(is_v6 ? "[%s]:%ld" : "%s:%ld", address ? address : "unknown", port);
    return answer;
}

void http_answer_free(HttpAnswer *answer)
{
    if (!answer)
        return;
    g_bytes_unref(answer->body);
    g_free(answer->location);
    g_free(answer->remote_address);
    g_free(answer);
}

Json *http_answer_json(const HttpAnswer *answer)
{
    Json *json = json_parse_bounded(bytes_of_gbytes(answer->body), answer->max_values, NULL);
    if (json && !json_object_is_type(json, json_type_object))
        g_clear_pointer(&json, json_unref);
    return json;
}

char *http_encode_segment(const char *segment)
{
    /* `.` and `..` would be dissolved by whoever resolves the URL. */
    if (strcmp(segment, ".") == 0)
        return g_strdup("%2E");
    if (strcmp(segment, "..") == 0)
        return g_strdup("%2E%2E");
    return g_uri_escape_string(segment, NULL, FALSE);
}
