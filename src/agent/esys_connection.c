/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.tpm"

#include "agent/esys_device.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

static const char *const default_devices[] = {"/dev/tpmrm0", "/dev/tpm0"};

void esys_free(void *pointer)
{
    void **variable = pointer;
    Esys_Free(*variable);
    *variable = NULL;
}

void esys_transient_clear(EsysTransient *transient)
{
    if (transient->handle == ESYS_TR_NONE || !transient->device->esys)
        return;
    if (transient->persistent)
        (void)Esys_TR_Close(transient->device->esys, &transient->handle);
    else
        (void)Esys_FlushContext(transient->device->esys, transient->handle);
    transient->handle = ESYS_TR_NONE;
}

/* The layers below the TPM itself: its connection is gone, not its consent. */
static bool transport_broke(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    TSS2_RC code = rc & ~TSS2_RC_LAYER_MASK;
    return layer == TSS2_TCTI_RC_LAYER || code == TSS2_BASE_RC_IO_ERROR ||
           code == TSS2_BASE_RC_NO_CONNECTION || code == TSS2_BASE_RC_BAD_SEQUENCE;
}

bool esys_check(TSS2_RC rc, const char *what, GError **error)
{
    if (rc == TSS2_RC_SUCCESS)
        return true;
    g_set_error(error, TPM_DEVICE_ERROR,
                transport_broke(rc) ? TPM_DEVICE_ERROR_UNAVAILABLE : TPM_DEVICE_ERROR_REFUSED,
                "%s failed: %s (0x%08x)%s", what, Tss2_RC_Decode(rc), rc,
                (rc & 0xFFF) == TPM2_RC_LOCKOUT
                    ? "; the TPM is in dictionary-attack lockout: wait, or reset it with "
                      "'tpm2_dictionarylockout -c'"
                    : "");
    return false;
}

/* User and groups in effect, for the message of a refused device (contract C121). */
static char *identity_text(void)
{
    GString *text = g_string_new(NULL);
    const struct passwd *user = getpwuid(geteuid());
    g_string_append_printf(text, "user %s, groups", user ? user->pw_name : "?");
    gid_t groups[64];
    int count = getgroups(G_N_ELEMENTS(groups), groups);
    groups[count >= 0 && count < (int)G_N_ELEMENTS(groups) ? count : 0] = getegid();
    for (int i = 0; i <= count && i < (int)G_N_ELEMENTS(groups); i++) {
        const struct group *group = getgrgid(groups[i]);
        if (group)
            g_string_append_printf(text, " %s", group->gr_name);
        else
            g_string_append_printf(text, " %u", (unsigned)groups[i]);
    }
    return g_string_free(text, FALSE);
}

/* Why a device file cannot be used, with the remedy; NULL when it can. */
static char *device_problem(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return NULL;
    }
    int reason = errno;
    const char *name = g_strerror(reason);
    if (reason == EBUSY)
        return g_strdup_printf("%s: %s: is keylime_agent running? (systemctl status keylime_agent)",
                               path, name);
    if (reason != EACCES && reason != EPERM)
        return g_strdup_printf("%s: %s", path, name);
    g_autofree char *identity = identity_text();
    return g_strdup_printf("%s: %s (EACCES) for %s; add the user to the group 'tss'", path, name,
                           identity);
}

/* "device:PATH" for the first device that exists; NULL when none does or the first is refused. */
static char *default_tcti(GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(default_devices); i++) {
        if (access(default_devices[i], F_OK) != 0)
            continue;
        g_autofree char *problem = device_problem(default_devices[i]);
        if (!problem)
            return g_strdup_printf("device:%s", default_devices[i]);
        g_set_error(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNAVAILABLE, "no TPM: %s", problem);
        return NULL;
    }
    g_set_error(
        error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNAVAILABLE,
        "no TPM: neither %s nor %s exists and the environment variable TCTI is not set (for "
        "example TCTI=swtpm:host=127.0.0.1,port=2321)",
        default_devices[0], default_devices[1]);
    return NULL;
}

/* The path of a device TCTI of the environment is checked too, for a better message. */
static bool check_named_device(const char *tcti, GError **error)
{
    const char *path = g_str_has_prefix(tcti, "device:") ? tcti + strlen("device:") : NULL;
    g_autofree char *problem = path && *path == '/' ? device_problem(path) : NULL;
    if (!problem)
        return true;
    g_set_error(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNAVAILABLE, "no TPM: TCTI=%s: %s", tcti,
                problem);
    return false;
}

bool esys_connection_open(EsysDevice *device, GError **error)
{
    const char *named = g_getenv("TCTI");
    g_autofree char *tcti = NULL;
    if (named && *named) {
        if (!check_named_device(named, error))
            return false;
        tcti = g_strdup(named);
    } else {
        tcti = default_tcti(error);
        if (!tcti)
            return false;
    }
    TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &device->tcti);
    if (rc != TSS2_RC_SUCCESS) {
        g_set_error(
            error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNAVAILABLE,
            "no TPM: cannot open '%s': %s (0x%08x); check the environment variable TCTI and that "
            "the TPM is there",
            tcti, Tss2_RC_Decode(rc), rc);
        return false;
    }
    log_info("Using the TPM at %s", tcti);
    rc = Esys_Initialize(&device->esys, device->tcti, NULL);
    return esys_check(rc, "opening the TPM", error);
}

void esys_connection_close(EsysDevice *device)
{
    if (device->esys) {
        esys_ek_release(&device->base);
        if (device->ak != ESYS_TR_NONE)
            (void)Esys_FlushContext(device->esys, device->ak);
        device->ak = ESYS_TR_NONE;
        Esys_Finalize(&device->esys);
    }
    if (device->tcti)
        Tss2_TctiLdr_Finalize(&device->tcti);
}
