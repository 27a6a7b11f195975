/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/tls_watch.h"

#define LOG_NAME "keylime.web"
#include "base/log.h"
#include "pki/revocation.h"

#include <sys/stat.h>

/* A server that starts beside a new verifier finds the shared directory within this time (D30). */
#define SHARED_WAIT_SECONDS 30
#define DAY_SECONDS (24 * 60 * 60)
#define LOOKS_A_LIFE 30
#define LOOK_SECONDS_MIN 10
#define LOOK_SECONDS_MAX (60 * 60)

struct TlsWatch {
    const Config *config;
    char *component;
    TlsFiles *files;
    char *stamp;      /* of the files that were loaded last; NULL before */
    gint64 loaded_at; /* monotonic */
    unsigned seconds;
};

TlsWatch *tls_watch_new(const Config *config, const char *component, GError **error)
{
    g_autoptr(TlsFiles) files = tls_server_files(config, component, SHARED_WAIT_SECONDS, error);
    if (!files)
        return NULL;
    TlsWatch *watch = g_new0(TlsWatch, 1);
    watch->config = config;
    watch->component = g_strdup(component);
    watch->files = g_steal_pointer(&files);
    watch->seconds = LOOK_SECONDS_MAX;
    return watch;
}

void tls_watch_free(TlsWatch *watch)
{
    if (!watch)
        return;
    tls_files_free(watch->files);
    g_free(watch->component);
    g_free(watch->stamp);
    g_free(watch);
}

static bool find_again(TlsWatch *watch, GError **error)
{
    TlsFiles *files = tls_server_files(watch->config, watch->component, 0, error);
    if (!files)
        return false;
    tls_files_free(watch->files);
    watch->files = files;
    return true;
}

/* --- which files they are -------------------------------------------------------------------- */

/* Another file under the same name, or other content in it. */
static void add_stamp(GString *stamp, const char *path)
{
    struct stat status = {0};
    if (stat(path, &status) == 0)
        g_string_append_printf(stamp, "%s %ju %jd %jd.%09ld\n", path, (uintmax_t)status.st_ino,
                               (intmax_t)status.st_size, (intmax_t)status.st_mtim.tv_sec,
                               status.st_mtim.tv_nsec);
}

static char *stamp_of(const TlsFiles *files)
{
    GString *stamp = g_string_new(NULL);
    add_stamp(stamp, files->certificate);
    add_stamp(stamp, files->key);
    for (guint i = 0; files->trusted_ca[i]; i++) {
        g_autofree char *list = revocation_list_of(files->trusted_ca[i]);
        add_stamp(stamp, files->trusted_ca[i]);
        add_stamp(stamp, list);
    }
    return g_string_free(stamp, FALSE);
}

/* --- loading --------------------------------------------------------------------------------- */

static unsigned seconds_between_looks(X509 *certificate)
{
    int days = 0, seconds = 0;
    if (!ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate),
                        X509_get0_notAfter(certificate)))
        return LOOK_SECONDS_MAX;
    gint64 life = (gint64)days * DAY_SECONDS + seconds;
    return (unsigned)CLAMP(life / LOOKS_A_LIFE, LOOK_SECONDS_MIN, LOOK_SECONDS_MAX);
}

SSL_CTX *tls_watch_load(TlsWatch *watch, GError **error)
{
    if (!find_again(watch, error))
        return NULL;
    /* Before they are read: what changes meanwhile is found at the next look. */
    char *stamp = stamp_of(watch->files);
    g_free(watch->stamp);
    watch->stamp = stamp;
    watch->loaded_at = g_get_monotonic_time();
    SSL_CTX *context = tls_server_context(watch->files, error);
    if (context)
        watch->seconds = seconds_between_looks(SSL_CTX_get0_certificate(context));
    return context;
}

bool tls_watch_is_due(TlsWatch *watch)
{
    g_autoptr(GError) error = NULL;
    if (g_get_monotonic_time() - watch->loaded_at >= (gint64)DAY_SECONDS * G_USEC_PER_SEC)
        return true;
    if (!find_again(watch, &error)) {
        log_error("Kept the present certificate: %s", error->message);
        return false;
    }
    g_autofree char *stamp = stamp_of(watch->files);
    return g_strcmp0(stamp, watch->stamp) != 0;
}

unsigned tls_watch_seconds(const TlsWatch *watch)
{
    return watch->seconds;
}
