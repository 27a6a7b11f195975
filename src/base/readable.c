/* SPDX-License-Identifier: Apache-2.0 */
#include "base/readable.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *user_name(uid_t uid)
{
    char buffer[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found)
        return g_strdup(entry.pw_name);
    return g_strdup_printf("%u", (unsigned)uid);
}

static bool is_allowed(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

/* The directory nearest to the root that this process may not enter; NULL = none. */
static char *closed_directory(const char *path)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    for (char *slash = strchr(absolute + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!is_allowed(absolute, X_OK))
            return g_steal_pointer(&absolute);
        *slash = '/';
    }
    return NULL;
}

/* `need`: what the path itself must be, up to the name of the user. */
static char *permission_problem(const char *path, const char *need, const char *reason)
{
    g_autofree char *directory = closed_directory(path);
    struct stat status;
    if (stat(directory ? directory : path, &status) != 0)
        return g_strdup(reason);
    g_autofree char *owner = user_name(status.st_uid);
    g_autofree char *reader = user_name(geteuid());
    unsigned mode = status.st_mode & 07777;
    if (directory)
        return g_strdup_printf("%s: directory %s (owner %s, mode %04o) cannot be entered by user "
                               "%s",
                               reason, directory, owner, mode, reader);
    return g_strdup_printf("%s (owner %s, mode %04o); %s %s", reason, owner, mode, need, reader);
}

static char *problem_text(const char *path, const char *need, int reason)
{
    if (reason == EACCES || reason == EPERM)
        return permission_problem(path, need, g_strerror(reason));
    return g_strdup(g_strerror(reason));
}

char *readable_problem(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        if (!S_ISREG(status.st_mode))
            return g_strdup("it is no regular file");
        if (is_allowed(path, R_OK))
            return NULL;
    }
    return problem_text(path, "it must be readable by user", errno);
}

char *writable_problem(const char *directory)
{
    return is_allowed(directory, W_OK | X_OK)
               ? NULL
               : problem_text(directory, "it must be writable by user", errno);
}
