/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/tree_digests.h"

#include "policy-tool/command.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *const never_measured[] = {"/sys",   "/run",  "/proc", "/lost+found", "/dev",
                                             "/media", "/snap", "/mnt",  "/var",        "/tmp"};

static bool file_error(GError **error, const char *path)
{
    int code = errno;
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", path,
                g_strerror(code));
    return false;
}

/* The path that the machine has for a file: without the tree's own, which has no "/" at its end. */
static const char *measured_path(const char *path, const char *root)
{
    return path + (strcmp(root, "/") == 0 ? 0 : strlen(root));
}

static bool read_content(int fd, const char *path, FileDigest *digest, GError **error)
{
    uint8_t block[64 * 1024];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno != EINTR)
            return file_error(error, path);
        if (got > 0)
            file_digest_update(digest, bytes_of(block, (size_t)got));
    }
    return true;
}

static bool add_file(const char *path, PolicyDocument *document, const EVP_MD *algorithm,
                     gpointer root, GError **error)
{
    /* What was a file may be a pipe by now: that must not be waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    FileDigest digest = {0};
    if (fd < 0)
        return file_error(error, path);
    bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    bool good =
        regular && file_digest_begin(&digest, algorithm) && read_content(fd, path, &digest, error);
    close(fd);
    g_autofree char *hex = digest.context ? file_digest_end(&digest) : NULL;
    if (good)
        policy_document_add(document, RUNTIME_POLICY_DIGESTS,
                            bytes_of_text(measured_path(path, root)), hex);
    return good || !regular;
}

static bool is_skipped(const char *path, const char *root, const char *const *skipped)
{
    const char *inside = measured_path(path, root);
    for (size_t i = 0; i < G_N_ELEMENTS(never_measured); i++)
        if (strcmp(inside, never_measured[i]) == 0)
            return true;
    for (; skipped && *skipped; skipped++) {
        g_autofree char *full = g_canonicalize_filename(*skipped, NULL);
        if (strcmp(path, full) == 0)
            return true;
    }
    return false;
}

/* A directory on another device whose file system is of another kind. */
static bool is_foreign_mount(const FTSENT *entry, dev_t root_device, const struct statfs *root)
{
    struct statfs here;
    return entry->fts_statp->st_dev != root_device &&
           (statfs(entry->fts_accpath, &here) != 0 || here.f_type != root->f_type);
}

/* The tree, which fts walks without following links. */
typedef struct {
    const TreeSettings *settings;
    const char *root;
    dev_t device;
    struct statfs filesystem;
    FileWork *work;
} Walk;

static void visit(Walk *walk, FTS *tree, FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
        if (entry->fts_level > 0 &&
            (is_skipped(entry->fts_path, walk->root, walk->settings->skipped) ||
             is_foreign_mount(entry, walk->device, &walk->filesystem)))
            fts_set(tree, entry, FTS_SKIP);
        break;
    case FTS_F:
        if (S_ISREG(entry->fts_statp->st_mode) &&
            (walk->settings->any_owner || entry->fts_statp->st_uid == 0))
            file_work_add(walk->work, entry->fts_path);
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        command_note("%s: %s", entry->fts_path, g_strerror(entry->fts_errno));
        break;
    default:
        break;
    }
}

static bool begin_walk(Walk *walk, GError **error)
{
    struct stat status;
    if (stat(walk->root, &status) != 0 || statfs(walk->root, &walk->filesystem) != 0)
        return file_error(error, walk->root);
    walk->device = status.st_dev;
    if (S_ISDIR(status.st_mode))
        return true;
    errno = ENOTDIR;
    return file_error(error, walk->root);
}

bool tree_digests_add(const TreeSettings *settings, PolicyDocument *document, GError **error)
{
    g_autofree char *root = g_canonicalize_filename(settings->root, NULL);
    Walk walk = {.settings = settings, .root = root};
    if (!begin_walk(&walk, error))
        return false;
    char *const roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!tree)
        return file_error(error, root);
    walk.work =
        file_work_new("files", add_file, document, settings->algorithm, root, settings->workers);
    FTSENT *entry;
    while ((entry = fts_read(tree)))
        visit(&walk, tree, entry);
    fts_close(tree);
    guint failed = file_work_finish(walk.work);
    if (failed > 0)
        command_note("%u files could not be read and are not in the policy", failed);
    return true;
}
