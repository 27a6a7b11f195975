/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/package_repository.h"

#include "policy-tool/archive_digests.h"
#include "policy-tool/command.h"
#include "policy-tool/download.h"
#include "policy-tool/repository_list.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <unistd.h>

#define PACKAGE_ERROR (package_error_quark())
static G_DEFINE_QUARK(package - repository - error - quark, package_error)

/* Of a list, as it is sent and unpacked; those of whole distributions have some hundred MB. */
#define MAX_LIST (256u * 1024 * 1024)
#define MAX_PLAIN_LIST (2u * 1024 * 1024 * 1024 - 1)

    static bool all_read(guint failed, GError **error)
{
    if (failed > 0)
        g_set_error(error, PACKAGE_ERROR, 0, "%u packages could not be read", failed);
    return failed == 0;
}

/* --- a folder -----------------------------------------------------------------------------------
 */

static bool add_package(const char *path, PolicyDocument *document, const EVP_MD *algorithm,
                        gpointer unused, GError **error)
{
    return package_digests_add(path, algorithm, document, error);
}

bool package_folder_add(const char *folder, const char *ending, const PackageSettings *settings,
                        PolicyDocument *document, GError **error)
{
    g_autofree char *root = g_strdup(folder);
    char *const roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry = tree ? fts_read(tree) : NULL;
    if (!entry || entry->fts_info != FTS_D) {
        g_set_error(error, PACKAGE_ERROR, 0, "%s: is no folder that can be read", folder);
        if (tree)
            fts_close(tree);
        return false;
    }
    FileWork *work = file_work_new("packages", add_package, document, settings->algorithm, NULL,
                                   settings->workers);
    for (; entry; entry = fts_read(tree))
        if (entry->fts_info == FTS_F && g_str_has_suffix(entry->fts_name, ending))
            file_work_add(work, entry->fts_path);
    fts_close(tree);
    return all_read(file_work_finish(work), error);
}

/* --- behind a URL -------------------------------------------------------------------------------
 */

typedef struct {
    Downloads *downloads;
    char *root;           /* places are below it */
    GHashTable *checksum; /* place -> SHA-256 or NULL; borrowed */
} Repository;

static char *url_of(const char *root, const char *place)
{
    return g_strconcat(root, g_str_has_suffix(root, "/") ? "" : "/", place, NULL);
}

static bool add_remote_package(const char *place, PolicyDocument *document, const EVP_MD *algorithm,
                               gpointer data, GError **error)
{
    const Repository *repository = data;
    g_autofree char *url = url_of(repository->root, place);
    g_autofree char *path = download_file(repository->downloads, url,
                                          g_hash_table_lookup(repository->checksum, place), error);
    if (!path)
        return false;
    bool good = package_digests_add(path, algorithm, document, error);
    if (!good)
        g_prefix_error(error, "%s: ", url);
    unlink(path);
    return good;
}

static bool add_packages(Repository *repository, GPtrArray *files, const PackageSettings *settings,
                         PolicyDocument *document, GError **error)
{
    g_autoptr(GHashTable) checksums = g_hash_table_new(g_str_hash, g_str_equal);
    repository->checksum = checksums;
    for (guint i = 0; i < files->len; i++) {
        const RepositoryFile *file = files->pdata[i];
        g_hash_table_insert(checksums, file->place, file->sha256);
    }
    FileWork *work = file_work_new("packages", add_remote_package, document, settings->algorithm,
                                   repository, settings->workers);
    GHashTableIter iter;
    gpointer place;
    g_hash_table_iter_init(&iter, checksums);
    while (g_hash_table_iter_next(&iter, &place, NULL))
        file_work_add(work, place);
    return all_read(file_work_finish(work), error);
}

/* A list of the repository, plain. */
static GBytes *fetch_list(const Repository *repository, const RepositoryFile *list, GError **error)
{
    g_autofree char *url = url_of(repository->root, list->place);
    g_autoptr(GBytes) content = download_content(repository->downloads, url, MAX_LIST, error);
    if (!content)
        return NULL;
    Bytes bytes = bytes_of_gbytes(content);
    g_autofree char *sha256 =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes.data, bytes.size);
    if (list->sha256 && g_ascii_strcasecmp(list->sha256, sha256) != 0) {
        g_set_error(error, PACKAGE_ERROR, 0, "%s: is not what repomd.xml says (SHA-256)", url);
        return NULL;
    }
    return archive_plain_content(bytes, MAX_PLAIN_LIST, url, error);
}

/* --- RPM ----------------------------------------------------------------------------------------
 */

typedef struct {
    PolicyDocument *document;
    size_t digits;
    guint added;
} ListedFiles;

static void add_listed_file(const char *path, const char *digest, gpointer data)
{
    ListedFiles *files = data;
    if (strlen(digest) != files->digits)
        return;
    policy_document_add(files->document, RUNTIME_POLICY_DIGESTS, bytes_of_text(path), digest);
    files->added++;
}

/* From the list of files; `found` tells whether it has digests of the wanted length. */
static bool add_filelists(const Repository *repository, Bytes repomd,
                          const PackageSettings *settings, PolicyDocument *document, bool *found,
                          GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(RepositoryFile) list = repomd_find(repomd, "filelists-ext", &reason);
    *found = false;
    if (reason) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return false;
    }
    if (!list)
        return true;
    g_autoptr(GBytes) content = fetch_list(repository, list, error);
    ListedFiles files = {document, 2 * (size_t)EVP_MD_get_size(settings->algorithm), 0};
    if (!content || !filelists_files(bytes_of_gbytes(content), add_listed_file, &files, error))
        return false;
    *found = files.added > 0;
    return true;
}

static bool add_primary(Repository *repository, Bytes repomd, const PackageSettings *settings,
                        PolicyDocument *document, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(RepositoryFile) list = repomd_find(repomd, "primary", &reason);
    if (!list) {
        g_set_error(error, PACKAGE_ERROR, 0, "%s: %s", repository->root,
                    reason ? reason->message : "repomd.xml has no list of packages");
        return false;
    }
    g_autoptr(GBytes) content = fetch_list(repository, list, error);
    g_autoptr(GPtrArray) files = content ? primary_packages(bytes_of_gbytes(content), error) : NULL;
    return files && add_packages(repository, files, settings, document, error);
}

bool rpm_repository_add(const char *url, const PackageSettings *settings, PolicyDocument *document,
                        GError **error)
{
    g_autoptr(Downloads) downloads = downloads_new();
    g_autofree char *root = g_strdup(url);
    g_autofree char *repomd_url = url_of(root, "repodata/repomd.xml");
    Repository repository = {.downloads = downloads, .root = root};
    g_autoptr(GBytes) repomd = download_content(downloads, repomd_url, MAX_LIST, error);
    bool found;
    if (!repomd ||
        !add_filelists(&repository, bytes_of_gbytes(repomd), settings, document, &found, error))
        return false;
    return found || add_primary(&repository, bytes_of_gbytes(repomd), settings, document, error);
}

/* --- Debian -------------------------------------------------------------------------------------
 */

/* The list under its usual names, the smallest first. */
static GBytes *fetch_packages_list(Downloads *downloads, const char *url, GError **error)
{
    static const char *const names[] = {"Packages.xz", "Packages.gz", "Packages"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        bool last = i == G_N_ELEMENTS(names) - 1;
        g_autofree char *list_url = url_of(url, names[i]);
        g_autoptr(GBytes) content =
            download_content(downloads, list_url, MAX_LIST, last ? error : NULL);
        if (content)
            return archive_plain_content(bytes_of_gbytes(content), MAX_PLAIN_LIST, list_url, error);
    }
    return NULL;
}

bool deb_repository_add(const char *url, const PackageSettings *settings, PolicyDocument *document,
                        GError **error)
{
    g_autoptr(Downloads) downloads = downloads_new();
    g_autoptr(GBytes) list = fetch_packages_list(downloads, url, error);
    g_autoptr(GPtrArray) files = list ? debian_packages(bytes_of_gbytes(list), error) : NULL;
    if (!files)
        return false;
    /* Places are below the archive's root, in a flat repository below the list's own folder. */
    const char *dists = strstr(url, "/dists/");
    g_autofree char *root = dists ? g_strndup(url, (gsize)(dists - url)) : g_strdup(url);
    Repository repository = {.downloads = downloads, .root = root};
    return add_packages(&repository, files, settings, document, error);
}
