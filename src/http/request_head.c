/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request_head.h"

#include "http/message_parts.h"

#include <string.h>

static bool fail(HeadError *error, unsigned status, const char *detail)
{
    *error = (HeadError){status, detail};
    return false;
}

/* tchar of RFC 9110 §5.6.2 */
static bool is_token(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!g_ascii_isalnum(*text) && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    }
    return true;
}

static void read_verb(const char *verb, RequestHead *head, HttpRequest *request)
{
    static const struct {
        const char *name;
        int method; /* -1: known, but no route has it */
    } verbs[] = {
        {"GET", HTTP_GET}, {"POST", HTTP_POST},     {"PATCH", HTTP_PATCH},
        {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"HEAD", -1},
        {"OPTIONS", -1},   {"TRACE", -1},           {"QUERY", -1},
    };
    g_strlcpy(request->verb, verb, sizeof request->verb);
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (strcmp(verb, verbs[i].name) != 0)
            continue;
        head->known = true;
        head->routable = verbs[i].method >= 0;
        if (head->routable)
            request->method = (HttpMethod)verbs[i].method;
    }
    head->is_head = strcmp(verb, "HEAD") == 0;
}

/* origin-form, or absolute-form (which a server must take too, RFC 9112 §3.2.2). */
static bool read_target(char *target, HttpRequest *request, HeadError *error)
{
    for (const char *at = target; *at; at++) {
        if (!g_ascii_isgraph(*at))
            return fail(error, 400, "The request target holds a byte that must be escaped");
    }
    char *scheme_end = strstr(target, "://");
    if (target[0] != '/' && scheme_end) {
        char *path = scheme_end + 3 + strcspn(scheme_end + 3, "/?");
        target = path;
    }
    char *query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    request->path = g_strdup(*target ? target : "/");
    request->query_text = g_strdup(query);
    /* Also for the form of the errors that come before routing. */
    http_version_prefix(request->path, request->version, &request->major);
    return true;
}

static bool read_request_line(char *line, RequestHead *head, HttpRequest *request, HeadError *error)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || strchr(version + 1, ' '))
        return fail(error, 400, "The request line is not METHOD, path and HTTP version");
    *target++ = '\0';
    *version++ = '\0';
    if (!is_token(line))
        return fail(error, 400, "The method is no HTTP token");
    read_verb(line, head, request);
    if (strncmp(version, "HTTP/", 5) != 0)
        return fail(error, 400, "The request line is not METHOD, path and HTTP version");
    if (strcmp(version, "HTTP/1.0") == 0)
        head->close = true;
    else if (strcmp(version, "HTTP/1.1") != 0)
        return fail(error, 505, "This server speaks HTTP/1.1");
    return read_target(target, request, error);
}

static bool read_header(char *line, HttpRequest *request, HeadError *error)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return fail(error, 400, "A header line has no colon");
    *colon = '\0';
    if (!is_token(line))
        return fail(error, 400, "A header name is no HTTP token");
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t size = strlen(value);
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        value[--size] = '\0';
    for (const char *at = value; *at; at++) {
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
            return fail(error, 400, "A header value holds a control character");
    }
    if (request->headers->len == REQUEST_HEADERS_MAX)
        return fail(error, 431, "The request has more than 100 headers");
    HttpField field = {line, value};
    g_array_append_val(request->headers, field);
    return true;
}

/* Headers that decide who asks, what is asked and where the request ends may come once only. */
static bool once_only(const HttpRequest *request, HeadError *error)
{
    static const char *const names[] = {"Host", "Content-Length", "Transfer-Encoding",
                                        "Authorization", "Content-Type"};
    unsigned seen = 0;
    for (guint i = 0; i < request->headers->len; i++) {
        const char *name = g_array_index(request->headers, HttpField, i).name;
        for (guint j = 0; j < G_N_ELEMENTS(names); j++) {
            if (g_ascii_strcasecmp(name, names[j]) != 0)
                continue;
            if (seen & (1u << j))
                return fail(error, 400, "A header that may come once only is repeated");
            seen |= 1u << j;
        }
    }
    return true;
}

static bool has_word(const char *list, const char *word)
{
    g_auto(GStrv) words = g_strsplit(list, ",", 20);
    for (char **at = words; *at; at++) {
        if (g_ascii_strcasecmp(g_strstrip(*at), word) == 0)
            return true;
    }
    return false;
}

static bool read_framing(RequestHead *head, const HttpRequest *request, HeadError *error)
{
    const char *length = http_request_header(request, "Content-Length");
    const char *coding = http_request_header(request, "Transfer-Encoding");
    if (length && coding)
        return fail(error, 400, "Content-Length and Transfer-Encoding exclude each other");
    if (coding) {
        if (g_ascii_strcasecmp(coding, "chunked") != 0)
            return fail(error, 501, "The only transfer coding of this server is chunked");
        head->chunked = true;
    }
    if (length) {
        /* 18 digits cannot overflow; more are no length of this world. */
        size_t digits = strspn(length, "0123456789");
        if (digits == 0 || length[digits] != '\0')
            return fail(error, 400, "Content-Length is no number");
        head->body_size = digits > 18 ? G_MAXUINT64 : g_ascii_strtoull(length, NULL, 10);
    }
    return true;
}

static bool read_options(RequestHead *head, const HttpRequest *request, HeadError *error)
{
    const char *connection = http_request_header(request, "Connection");
    if (connection && has_word(connection, "close"))
        head->close = true;
    const char *expect = http_request_header(request, "Expect");
    if (expect) {
        if (g_ascii_strcasecmp(expect, "100-continue") != 0)
            return fail(error, 417, "The only expectation of this server is 100-continue");
        head->expect = true;
    }
    return true;
}

/* `text`: the head without its last blank line, NUL-terminated, owned by the request. */
static bool read_head(char *text, RequestHead *head, HttpRequest *request, HeadError *error)
{
    bool http_1_0 = false;
    for (char *line = text; line;) {
        char *end = strstr(line, "\r\n");
        char *next = end ? end + 2 : NULL;
        if (end)
            *end = '\0';
        if (line == text) {
            if (!read_request_line(line, head, request, error))
                return false;
            http_1_0 = head->close;
        } else if (!read_header(line, request, error)) {
            return false;
        }
        line = next;
    }
    if (!once_only(request, error))
        return false;
    if (!http_1_0 && !http_request_header(request, "Host"))
        return fail(error, 400, "The Host header is missing");
    if (http_1_0 && http_request_header(request, "Transfer-Encoding"))
        return fail(error, 400, "HTTP/1.0 has no transfer coding");
    return read_framing(head, request, error) && read_options(head, request, error);
}

/* A line end without CR would let the head wait for an end that its sender believes sent. */
static bool has_bare_line_feed(Bytes input)
{
    const uint8_t *at = input.data;
    const uint8_t *end = input.data + input.size;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        if (at == input.data || at[-1] != '\r')
            return true;
        at++;
    }
    return false;
}

static HeadOutcome bad(HeadError *error, unsigned status, const char *detail)
{
    fail(error, status, detail);
    return HEAD_BAD;
}

HeadOutcome request_head_parse(Bytes input, size_t *scanned, RequestHead *head, size_t *size,
                               HttpRequest *request, HeadError *error)
{
    *head = (RequestHead){0};
    /* Empty lines before a request are a courtesy to old clients (RFC 9112 §2.2). */
    size_t start = 0;
    while (start < 4 && input.size >= start + 2 && memcmp(input.data + start, "\r\n", 2) == 0)
        start += 2;
    /* A TLS hello, or anything else that is no HTTP, is answered at once instead of waited for. */
    if (input.size > start && !strchr("\r", input.data[start]) &&
        !g_ascii_isalpha(input.data[start]))
        return bad(error, 400, "This is no HTTP request");
    /* The blank line may have begun in what was looked through before. */
    size_t from = MAX(start, *scanned > 3 ? *scanned - 3 : 0);
    const uint8_t *end =
        from < input.size ? memmem(input.data + from, input.size - from, "\r\n\r\n", 4) : NULL;
    bool first_look = *scanned == 0;
    *scanned = input.size;
    size_t length = (end ? (size_t)(end - input.data) : input.size) - start;
    if (length > REQUEST_HEAD_MAX)
        return bad(error, 431, "The header section is larger than 64 KiB");
    Bytes text = {input.data + start, length};
    if ((end || first_look) && length > 0 && has_bare_line_feed(text))
        return bad(error, 400, "Lines of an HTTP head end in CR LF");
    if (!end)
        return HEAD_INCOMPLETE;
    if (length == 0 || memchr(text.data, 0, length))
        return bad(error, 400, "The head is empty or holds a NUL");
    *scanned = 0;
    *size = start + length + 4;
    request->head = g_strndup((const char *)text.data, length);
    request->headers = g_array_new(FALSE, FALSE, sizeof(HttpField));
    return read_head(request->head, head, request, error) ? HEAD_COMPLETE : HEAD_BAD;
}
