/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.ca-util"

#include "ca/commands.h"

#include "base/log.h"

G_DEFINE_QUARK(keylime - ca - error, ca_error)

static bool has_authority(const CaRequest *request)
{
    g_autofree char *path = g_build_filename(request->directory, "cacert.crt", NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Upstream's empties the directory first; certificates that are in use deserve better. */
static bool make_authority(const CaRequest *request, GError **error)
{
    if (!has_authority(request))
        return authority_ensure(request->directory, request->settings, error);
    g_set_error(error, CA_ERROR, CA_ERROR_REFUSED,
                "%s has a CA already; choose another --dir, or move its files away first",
                request->directory);
    return false;
}

static bool create_certificate(const CaRequest *request, GError **error)
{
    if (!authority_create_certificate(request->directory, request->settings, request->name,
                                      request->role, request->dns, request->ip, error))
        return false;
    if (request->role == PKI_ROLE_CLIENT)
        log_info("%s is a client: who holds its key can administer the servers that trust this CA "
                 "(--role server makes a server's certificate)",
                 request->name);
    return true;
}

static bool revoke_certificate(const CaRequest *request, GError **error)
{
    if (!authority_revoke(request->directory, request->settings, request->name, error))
        return false;
    log_info("Revoked the certificate of %s: copy %s/cacrl.pem beside each server's copy of "
             "cacert.crt and reload the servers (SIGHUP)",
             request->name, request->directory);
    return true;
}

static bool import_private_key(const CaRequest *request, GError **error)
{
    g_autofree char *usual = g_build_filename(request->directory, "ca-private.pem", NULL);
    if (request->serial < 0) {
        g_set_error_literal(error, CA_ERROR, CA_ERROR_REFUSED,
                            "import-priv needs --serial, the last serial number that was used");
        return false;
    }
    return authority_import_key(request->directory, request->settings,
                                request->file ? request->file : usual, request->serial, error);
}

const CaCommand ca_commands[] = {
    {"init", "make a CA", false, true, make_authority},
    {"create", "make a key and its certificate", true, true, create_certificate},
    {"pkg", "put a pair and the CA's certificate into one archive", true, false, ca_package},
    {"revoke", "take a certificate back", true, true, revoke_certificate},
    {"import-priv", "make the key store of a CA from its private key", false, true,
     import_private_key},
    {"bundle", "make a folder for another machine: --for registrar, verifier, tenant or agent",
     false, true, ca_bundle},
    {0},
};
