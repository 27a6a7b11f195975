/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.ca-util"

#include "base/log.h"
#include "base/secret.h"
#include "ca/commands.h"
#include "pki/pem_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a machine needs below its keylime_dir: an agent the CA only, and never a client's key. */
typedef struct {
    const char *target;
    const char *pair; /* name of the pair, as the program looks for it; NULL = none */
    PkiRole role;
    bool lists; /* the revocation list, too */
    const char *program;
    const char *advice;
} BundleKind;

static const BundleKind kinds[] = {
    {"registrar", "server", PKI_ROLE_SERVER, true, "keylime_registrar",
     "tls_dir = default finds it there. Set ip to the address that others reach."},
    {"verifier", "server", PKI_ROLE_SERVER, true, "keylime_verifier",
     "Set tls_dir = default, and ip to the address that others reach."},
    {"tenant", "client", PKI_ROLE_CLIENT, false, "keylime_tenant",
     "Set verifier_ip and registrar_ip. Who holds client-private.pem can administer both servers."},
    {"agent", NULL, PKI_ROLE_CLIENT, false, "keylime_push_model_agent",
     "Set verifier_url and registrar_ip. verifier_tls_ca_cert finds the CA there by itself."},
};

static const BundleKind *kind_of(const char *target)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_strcmp0(target, kinds[i].target) == 0)
            return &kinds[i];
    return NULL;
}

static bool make_folder(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CA_ERROR, CA_ERROR_REFUSED,
                    "%s is there already; choose another --output", path);
        return false;
    }
    g_autofree char *below = g_build_filename(path, "cv_ca", NULL);
    if (g_mkdir_with_parents(below, 0700) == 0)
        return true;
    g_set_error(error, CA_ERROR, CA_ERROR_REFUSED, "cannot make %s: %s", below, g_strerror(errno));
    return false;
}

static bool copy(const CaRequest *request, const char *from, const char *to, int mode,
                 GError **error)
{
    g_autofree char *source = g_build_filename(request->directory, from, NULL);
    g_autofree char *target = g_build_filename(request->output, "cv_ca", to, NULL);
    g_autofree char *text = NULL;
    gsize size = 0;
    bool copied = g_file_get_contents(source, &text, &size, error) &&
                  pem_file_write(target, text, size, mode, error);
    if (text)
        secret_wipe(text, size); /* it may be a key */
    return copied;
}

/* The pair lies in the CA's directory under the machine's name, and in the folder under the name
 * that the program looks for. */
static bool copy_pair(const CaRequest *request, const BundleKind *kind, GError **error)
{
    static const struct {
        const char *ending;
        int mode;
    } files[] = {{"-cert.crt", PEM_MODE_PUBLIC},
                 {"-private.pem", PEM_MODE_SECRET},
                 {"-public.pem", PEM_MODE_PUBLIC}};
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *from = g_strconcat(request->name, files[i].ending, NULL);
        g_autofree char *to = g_strconcat(kind->pair, files[i].ending, NULL);
        if (!copy(request, from, to, files[i].mode, error))
            return false;
    }
    return true;
}

static bool write_advice(const CaRequest *request, const BundleKind *kind, GError **error)
{
    g_autofree char *path = g_build_filename(request->output, "README", NULL);
    g_autofree char *text = g_strdup_printf(
        "Certificates for %s%s%s.\n\n"
        "On that machine, as root:\n\n"
        "    mkdir -p /var/lib/keylime\n"
        "    cp -r cv_ca /var/lib/keylime/\n"
        "    chown -R keylime: /var/lib/keylime/cv_ca\n\n"
        "%s\n%s",
        kind->program, request->name ? " on " : "", request->name ? request->name : "",
        kind->advice, kind->pair ? "Then delete this folder: it holds a private key.\n" : "");
    return pem_file_write(path, text, strlen(text), PEM_MODE_PUBLIC, error);
}

/* The pair comes last: what cannot be copied must not cost a certificate. */
static bool fill(const CaRequest *request, const BundleKind *kind, GError **error)
{
    return copy(request, "cacert.crt", "cacert.crt", PEM_MODE_PUBLIC, error) &&
           (!kind->lists || copy(request, "cacrl.pem", "cacrl.pem", PEM_MODE_PUBLIC, error)) &&
           write_advice(request, kind, error) &&
           (!kind->pair ||
            (authority_create_certificate(request->directory, request->settings, request->name,
                                          kind->role, request->dns, request->ip, error) &&
             copy_pair(request, kind, error)));
}

/* All that fill() may have written: the folder was not there before. */
static void remove_folder(const char *path)
{
    static const char *const names[] = {"cv_ca/cacert.crt",
                                        "cv_ca/cacrl.pem",
                                        "cv_ca/server-cert.crt",
                                        "cv_ca/server-private.pem",
                                        "cv_ca/server-public.pem",
                                        "cv_ca/client-cert.crt",
                                        "cv_ca/client-private.pem",
                                        "cv_ca/client-public.pem",
                                        "cv_ca",
                                        "README"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = g_build_filename(path, names[i], NULL);
        remove(name);
    }
    remove(path);
}

const char *ca_bundle_problem(const CaArguments *arguments)
{
    const BundleKind *kind = kind_of(arguments->target);
    if (!kind)
        return "bundle needs --for registrar, verifier, tenant or agent";
    if (!arguments->output)
        return "bundle needs --output, the folder to make";
    if (kind->pair && !arguments->name)
        return "this bundle needs --name: the machine's host name, or the person's name for a "
               "tenant";
    return NULL;
}

/* A folder without a pair needs no signature. */
bool ca_bundle_asks_password(const CaArguments *arguments)
{
    return kind_of(arguments->target)->pair != NULL;
}

bool ca_bundle(const CaRequest *request, GError **error)
{
    const BundleKind *kind = kind_of(request->target);
    if (!make_folder(request->output, error))
        return false;
    if (!fill(request, kind, error)) {
        remove_folder(request->output);
        return false;
    }
    log_info("Made %s for %s: its README says what to do with it", request->output, kind->program);
    return true;
}
