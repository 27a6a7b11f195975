/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.ca-util"

#include "ca/commands.h"

#include "base/log.h"
#include "ca/arguments.h"

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

static const char *import_problem(const CaArguments *arguments)
{
    return arguments->serial_text
               ? NULL
               : "import-priv needs --serial, the last serial number that was used";
}

static bool import_private_key(const CaRequest *request, GError **error)
{
    g_autofree char *usual = g_build_filename(request->directory, "ca-private.pem", NULL);
    return authority_import_key(request->directory, request->settings,
                                request->file ? request->file : usual, request->serial, error);
}

/* Whoever signs opens the key store. */
static bool always(const CaArguments *arguments)
{
    return true;
}

static bool package_asks_password(const CaArguments *arguments)
{
    return arguments->insecure;
}

/* clang-format off */
#define JSON_FILES "the members command, directory, and files, the names of what was written there."
#define AUTHORITY    "The CA"
#define CERTIFICATES "Certificates"

static const CaCommand commands[] = {
    {{"init", AUTHORITY, "make a CA",
      .details = "Makes cacert.crt, ca-public.pem, private.yml (its key under the password), cacrl.der and cacrl.pem. A"
                 " directory that has a CA is left alone.",
      .json = JSON_FILES, .examples = "keylime_ca init -d /var/lib/keylime/ca"},
     .asks_password = always, .run = make_authority,
     .makes = "cacert.crt ca-public.pem private.yml cacrl.der cacrl.pem"},
    {{"import-priv", AUTHORITY, "make the key store of a CA from its private key",
      .details = "For a CA that was made elsewhere: cacert.crt is in the directory, and the unencrypted key of it.",
      .json = JSON_FILES, .examples = "keylime_ca import-priv -d /root/ca -f ca.key -s 17"},
     .problem = import_problem, .asks_password = always, .run = import_private_key, .makes = "private.yml"},
    {{"create", CERTIFICATES, "make a key and its certificate",
      .details = "Makes NAME-private.pem, NAME-cert.crt and NAME-public.pem. Who holds the key of a client can administer"
                 " the servers that trust the CA. An earlier pair of that name is kept as *.old.",
      .json = JSON_FILES,
      .examples = "keylime_ca create -d /var/lib/keylime/cv_ca -n alice\n"
                  "keylime_ca create -d /var/lib/keylime/cv_ca -n registrar --role server --dns registrar.example.com"},
     .needs_name = true, .asks_password = always, .run = create_certificate,
     .makes = "NAME-private.pem NAME-cert.crt NAME-public.pem"},
    {{"bundle", CERTIFICATES, "make a folder for another machine",
      .details = "The files that a registrar, verifier, tenant or agent looks for, and a README with the commands to type"
                 " there. An agent gets the CA's certificate only. Nothing is left of a bundle that fails.",
      .json = "the members command, directory (the folder), and for.",
      .examples = "keylime_ca bundle -d /var/lib/keylime/cv_ca --for registrar -n registrar.example.com \\\n"
                  "    --dns registrar.example.com -o registrar-files\n"
                  "keylime_ca bundle -d /var/lib/keylime/cv_ca --for tenant -n alice -o alice-files\n"
                  "keylime_ca bundle -d /var/lib/keylime/cv_ca --for agent -o agent-files"},
     .problem = ca_bundle_problem, .asks_password = ca_bundle_asks_password, .run = ca_bundle},
    {{"pkg", CERTIFICATES, "put a pair and the CA's certificate into one archive",
      .details = "Makes NAME-pkg.zip with the pair, cacert.crt and the revocation lists.",
      .json = JSON_FILES, .examples = "keylime_ca pkg -d /var/lib/keylime/cv_ca -n alice"},
     .needs_name = true, .asks_password = package_asks_password, .run = ca_package, .makes = "NAME-pkg.zip"},
    {{"revoke", CERTIFICATES, "take a certificate back",
      .details = "Servers refuse it from their next reload (SIGHUP) on, where cacrl.pem lies beside their copy of"
                 " cacert.crt.",
      .json = JSON_FILES, .examples = "keylime_ca revoke -d /var/lib/keylime/cv_ca -n alice"},
     .needs_name = true, .asks_password = always, .run = revoke_certificate, .makes = "cacrl.der cacrl.pem"},
};
/* clang-format on */

static const ToolCommand *command_at(guint index)
{
    return index < G_N_ELEMENTS(commands) ? &commands[index].tool : NULL;
}

const CaCommand *ca_find_command(const char *name)
{
    const ToolCommand *found = tool_find_command(&ca_tool, name);
    for (guint i = 0; found && i < G_N_ELEMENTS(commands); i++)
        if (&commands[i].tool == found)
            return &commands[i];
    return NULL;
}

const Tool ca_tool = {
    .name = "keylime_ca",
    .synopsis = "COMMAND [OPTION...]\n-c COMMAND [OPTION...]",
    .summary =
        "The certificates of a Keylime installation: a small CA in a directory, certificates "
        "of servers and administrators, and folders with them for other machines.",
    .options = ca_options,
    .command_at = command_at,
    .examples = "keylime_ca create -d /var/lib/keylime/cv_ca -n alice\n"
                "keylime_ca bundle -d /var/lib/keylime/cv_ca --for agent -o agent-files\n"
                "keylime_ca revoke -d /var/lib/keylime/cv_ca -n alice",
    .notes =
        "keylime_ca COMMAND --help shows what a command does and its options.\n"
        "Configuration: /etc/keylime/ca.conf, section [ca]; each option also as "
        "KEYLIME_CA_<OPTION>. The password of the key store is its option password; where that is "
        "empty or \"default\", it is asked for.\n"
        "Exit status: 0 done, 1 failed, 2 wrong command line; 255 no or an unknown value of -c, a "
        "missing option or bad name, a work directory that cannot be used.",
};
