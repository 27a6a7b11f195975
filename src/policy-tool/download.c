/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/download.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DOWNLOAD_ERROR (download_error_quark())
static G_DEFINE_QUARK(download - error - quark, download_error)

#define CONNECT_SECONDS 30L
/* Less than this for so long is a dead connection. */
#define LOW_SPEED_BYTES 100L
#define LOW_SPEED_SECONDS 60L
#define MAX_REDIRECTIONS 5L
/* Of one package. */
#define MAX_FILE (UINT64_C(4) * 1024 * 1024 * 1024)

    struct Downloads {
    GAsyncQueue *idle; /* of CURL * */
};

Downloads *downloads_new(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    Downloads *downloads = g_new0(Downloads, 1);
    downloads->idle = g_async_queue_new_full((GDestroyNotify)curl_easy_cleanup);
    return downloads;
}

void downloads_free(Downloads *downloads)
{
    if (!downloads)
        return;
    g_async_queue_unref(downloads->idle);
    g_free(downloads);
    curl_global_cleanup();
}

/* Where the content goes: into memory, or to a file and through a hash. */
typedef struct {
    GByteArray *content;
    FILE *file;
    GChecksum *checksum;
    guint64 size, most;
} Sink;

static size_t receive(char *data, size_t size, size_t count, void *user)
{
    Sink *sink = user;
    size_t bytes = size * count;
    sink->size += bytes;
    if (sink->size > sink->most)
        return 0;
    if (sink->content)
        bytes_append(sink->content, bytes_of(data, bytes));
    else if (fwrite(data, 1, bytes, sink->file) != bytes)
        return 0;
    if (sink->checksum)
        g_checksum_update(sink->checksum, (const guchar *)data, (gssize)bytes);
    return bytes;
}

static CURL *take_handle(Downloads *downloads)
{
    CURL *handle = g_async_queue_try_pop(downloads->idle);
    if (handle)
        return handle;
    handle = curl_easy_init();
    if (!handle)
        g_error("out of memory");
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, MAX_REDIRECTIONS);
    curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_SECONDS);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "keylime-policy/" KEYLIME_VERSION);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    return handle;
}

static bool fetch(Downloads *downloads, const char *url, Sink *sink, GError **error)
{
    char reason[CURL_ERROR_SIZE] = "";
    CURL *handle = take_handle(downloads);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, sink);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
    CURLcode result = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
    g_async_queue_push(downloads->idle, handle);
    if (result == CURLE_OK)
        return true;
    g_set_error(error, DOWNLOAD_ERROR, (gint)result, "%s: %s", url,
                sink->size > sink->most ? "is too large"
                : *reason               ? reason
                                        : curl_easy_strerror(result));
    return false;
}

GBytes *download_content(Downloads *downloads, const char *url, size_t most, GError **error)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    Sink sink = {.content = content, .most = most};
    return fetch(downloads, url, &sink, error)
               ? g_byte_array_free_to_bytes(g_steal_pointer(&content))
               : NULL;
}

static bool save(Downloads *downloads, const char *url, const char *sha256, FILE *file,
                 GError **error)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    Sink sink = {.file = file, .checksum = checksum, .most = MAX_FILE};
    if (!fetch(downloads, url, &sink, error))
        return false;
    if (fflush(file) != 0) {
        g_set_error(error, DOWNLOAD_ERROR, 0, "%s: %s", url, g_strerror(errno));
        return false;
    }
    if (!sha256 || g_ascii_strcasecmp(sha256, g_checksum_get_string(checksum)) == 0)
        return true;
    g_set_error(error, DOWNLOAD_ERROR, 0, "%s: is not what the repository's list says (SHA-256)",
                url);
    return false;
}

char *download_file(Downloads *downloads, const char *url, const char *sha256, GError **error)
{
    g_autofree char *path = NULL;
    g_autofree char *base = g_path_get_basename(url);
    /* The ending stays: it tells the kind of package. */
    g_autofree char *pattern =
        g_strconcat("keylime-policy-XXXXXX", strrchr(base, '.') ? strrchr(base, '.') : "", NULL);
    int fd = g_file_open_tmp(pattern, &path, error);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, "wb");
    bool good = save(downloads, url, sha256, file, error);
    fclose(file);
    if (!good)
        unlink(path);
    return good ? g_steal_pointer(&path) : NULL;
}
