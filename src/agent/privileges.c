/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/privileges.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_RUN_AS "keylime:tss"

void privileges_restrict(void)
{
    const struct rlimit none = {0, 0};
    umask(077);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none); /* tokens and credentials are in memory */
}

/* What root could regain by running a file with capabilities; best effort, for no_new_privs and the
 * other user hold without it. */
static void drop_capabilities(void)
{
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;)
        capability++;
}

static bool fail(GError **error, const char *run_as, const char *what, const char *remedy)
{
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "[agent] run_as = '%s': %s; %s", run_as,
                what, remedy);
    return false;
}

static bool become(const char *run_as, const struct passwd *user, const struct group *group,
                   GError **error)
{
    g_autofree char *name = g_strdup(user->pw_name);
    uid_t uid = user->pw_uid;
    gid_t gid = group->gr_gid;
    drop_capabilities();
    bool done = initgroups(name, gid) == 0 && setresgid(gid, gid, gid) == 0 &&
                setresuid(uid, uid, uid) == 0;
    if (!done)
        return fail(error, run_as, g_strerror(errno), "the agent must be started as root for this");
    bool back = uid != 0 && (setuid(0) == 0 || geteuid() == 0);
    if (back || getuid() != uid || geteuid() != uid)
        return fail(error, run_as, "privileges could not be given up for good",
                    "start the agent as that user instead");
    log_info("Dropped privileges to run as %s", run_as);
    log_info("Running the service as %s...", run_as);
    return true;
}

static void warn_root(void)
{
    log_error("CRITICAL SECURITY WARNING: Running as root without 'run_as' configured!");
    log_error("CRITICAL SECURITY WARNING: a mistake in the agent would then be a mistake of root.");
    log_error(
        "CRITICAL SECURITY WARNING: set run_as = \"keylime:tss\" in /etc/keylime/agent.conf.");
}

/* --- started as another user than root -------------------------------------------------------- */

static bool is_present_user(const char *run_as)
{
    const char *colon = strchr(run_as, ':');
    g_autofree char *user_name = g_strndup(run_as, (gsize)(colon - run_as));
    const struct passwd *user = getpwnam(user_name);
    const struct group *group = getgrnam(colon + 1);
    return user && user->pw_uid == geteuid() && group && group->gr_gid == getegid();
}

static bool has_capabilities(const struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3])
{
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (held[i].permitted != 0 || held[i].inheritable != 0)
            return true;
    return false;
}

/* The ambient ones go with the permitted. */
static bool give_up_capabilities(GError **error)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {0};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, held) == 0 && !has_capabilities(held))
        return true;
    if (syscall(SYS_capset, &header, none) == 0) {
        log_info("Gave up the capabilities that opened logs and certificates");
        return true;
    }
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED,
                "capabilities could not be given up: %s; start the agent without any",
                g_strerror(errno));
    return false;
}

static bool stay(const char *run_as, GError **error)
{
    if (run_as && *run_as && !is_present_user(run_as))
        log_warning(
            "run_as = '%s' has no effect: the agent was not started as root (of the service,"
            " User= and Group= in a drop-in decide)",
            run_as);
    return give_up_capabilities(error);
}

bool privileges_drop(const char *run_as, GError **error)
{
    if (geteuid() != 0)
        return stay(run_as, error);
    if (!run_as)
        run_as = DEFAULT_RUN_AS;
    if (*run_as == '\0') {
        warn_root();
        return true;
    }
    const char *colon = strchr(run_as, ':');
    g_autofree char *user_name = g_strndup(run_as, (gsize)(colon - run_as));
    const struct group *group = getgrnam(colon + 1);
    if (!group)
        return fail(error, run_as, "there is no such group",
                    "groupadd --system it, or name another one");
    const struct passwd *user = getpwnam(user_name);
    if (!user)
        return fail(error, run_as, "there is no such user",
                    "useradd --system --groups tss it, or name another one");
    return become(run_as, user, group, error);
}
