/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/file_digest.h"

#include "base/encoding.h"
#include "policy-tool/command.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Between two lines of progress, in microseconds. */
#define TERMINAL_INTERVAL (G_USEC_PER_SEC / 4)
#define LOG_INTERVAL (10 * G_USEC_PER_SEC)

static const struct {
    const char *name, *openssl_name;
    size_t size;
} algorithms[] = {
    {"sha1", "SHA1", 20},     {"sha256", "SHA256", 32}, {"sha384", "SHA384", 48},
    {"sha512", "SHA512", 64}, {"sm3_256", "SM3", 32},
};

const EVP_MD *file_digest_algorithm(const char *name)
{
    static EVP_MD *fetched[G_N_ELEMENTS(algorithms)];
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++)
        if (g_strcmp0(name, algorithms[i].name) == 0) {
            if (!fetched[i])
                fetched[i] = EVP_MD_fetch(NULL, algorithms[i].openssl_name, NULL);
            return fetched[i];
        }
    return NULL;
}

const char *file_digest_name_of_length(size_t hex_digits)
{
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++)
        if (2 * algorithms[i].size == hex_digits)
            return algorithms[i].name;
    return NULL;
}

bool file_digest_begin(FileDigest *digest, const EVP_MD *algorithm)
{
    digest->context = EVP_MD_CTX_new();
    return digest->context && EVP_DigestInit_ex2(digest->context, algorithm, NULL) == 1;
}

void file_digest_update(FileDigest *digest, Bytes content)
{
    EVP_DigestUpdate(digest->context, content.data, content.size);
}

char *file_digest_end(FileDigest *digest)
{
    uint8_t value[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(digest->context, value, &size);
    g_clear_pointer(&digest->context, EVP_MD_CTX_free);
    return hex_encode(bytes_of(value, size));
}

/* --- work ---------------------------------------------------------------------------------------
 */

struct FileWork {
    GThreadPool *pool;
    const char *what;
    FileWorker worker;
    PolicyDocument *document;
    const EVP_MD *algorithm;
    gpointer data;
    GMutex lock; /* of what follows */
    guint added, done, failed;
    gint64 last_report, interval;
    bool reported;
};

static void report_progress(FileWork *work)
{
    gint64 now = g_get_monotonic_time();
    if (now - work->last_report < work->interval)
        return;
    bool terminal = work->interval == TERMINAL_INTERVAL;
    fprintf(stderr, "%s%u of %u %s%s", terminal ? "\r" : "", work->done, work->added, work->what,
            terminal ? "" : "\n");
    work->last_report = now;
    work->reported = true;
}

static void run_piece(gpointer path, gpointer data)
{
    FileWork *work = data;
    g_autofree char *owned = path;
    g_autoptr(GError) error = NULL;
    bool good = work->worker(owned, work->document, work->algorithm, work->data, &error);
    g_mutex_lock(&work->lock);
    work->done++;
    if (!good) {
        work->failed++;
        command_note("%s", error->message);
    }
    report_progress(work);
    g_mutex_unlock(&work->lock);
}

FileWork *file_work_new(const char *what, FileWorker worker, PolicyDocument *document,
                        const EVP_MD *algorithm, gpointer data, guint workers)
{
    FileWork *work = g_new0(FileWork, 1);
    work->what = what;
    work->worker = worker;
    work->document = document;
    work->algorithm = algorithm;
    work->data = data;
    work->interval = isatty(STDERR_FILENO) ? TERMINAL_INTERVAL : LOG_INTERVAL;
    work->last_report = g_get_monotonic_time();
    g_mutex_init(&work->lock);
    guint cores = g_get_num_processors();
    work->pool = g_thread_pool_new(run_piece, work, (gint)(workers ? MIN(workers, cores) : cores),
                                   FALSE, NULL);
    return work;
}

void file_work_add(FileWork *work, const char *path)
{
    g_mutex_lock(&work->lock);
    work->added++;
    g_mutex_unlock(&work->lock);
    g_thread_pool_push(work->pool, g_strdup(path), NULL);
}

guint file_work_finish(FileWork *work)
{
    g_thread_pool_free(work->pool, FALSE, TRUE);
    if (work->reported && work->interval == TERMINAL_INTERVAL)
        fprintf(stderr, "\r%u of %u %s\n", work->done, work->added, work->what);
    guint failed = work->failed;
    g_mutex_clear(&work->lock);
    g_free(work);
    return failed;
}
