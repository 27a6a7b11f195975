/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_ca: the certificates of a Keylime installation (tenant-and-management-api §10).
 * Exit status: 0; 1 = the command failed; 2 = unknown option; 255 = upstream's, for a missing or
 * unknown command, a missing name, and a work directory that cannot be used.
 */
#define LOG_NAME "keylime.ca-util"

#include "base/identifier.h"
#include "base/log.h"
#include "base/secret.h"
#include "ca/commands.h"
#include "ca/password.h"
#include "config/check_config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_FAILED 1
#define STATUS_USAGE 2
#define STATUS_UPSTREAM_USAGE 255
/* X.520's bound of a common name. */
#define NAME_MAX_SIZE 64

typedef struct {
    char *command, *name, *directory, *file, *role, *target, *output;
    char **dns, **ip;
    gboolean insecure, version, check_config, example_config, json;
    gint64 serial;
} Flags;

static void flags_clear(Flags *flags)
{
    g_free(flags->command);
    g_free(flags->name);
    g_free(flags->directory);
    g_free(flags->file);
    g_free(flags->role);
    g_free(flags->target);
    g_free(flags->output);
    g_strfreev(flags->dns);
    g_strfreev(flags->ip);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Flags, flags_clear)

static char *command_help(void)
{
    GString *text = g_string_new("Commands:\n");
    for (const CaCommand *command = ca_commands; command->name; command++)
        g_string_append_printf(text, "  %-12s %s\n", command->name, command->summary);
    g_string_append(text, "\nThe password of the key store is [ca] password of ca.conf or "
                          "KEYLIME_CA_PASSWORD;\nwhere that is empty or \"default\", it is asked "
                          "for.\n");
    return g_string_free(text, FALSE);
}

static GOptionContext *make_context(Flags *flags)
{
    const GOptionEntry entries[] = {
        {"command", 'c', 0, G_OPTION_ARG_STRING, &flags->command, "What to do; see below",
         "COMMAND"},
        {"name", 'n', 0, G_OPTION_ARG_STRING, &flags->name, "Common name of the certificate",
         "NAME"},
        {"dir", 'd', 0, G_OPTION_ARG_FILENAME, &flags->directory,
         "Directory of the CA. Default: ca/ in the work directory", "DIR"},
        {"role", 0, 0, G_OPTION_ARG_STRING, &flags->role, "create: client (default) or server",
         "ROLE"},
        {"dns", 0, 0, G_OPTION_ARG_STRING_ARRAY, &flags->dns,
         "create, bundle: a host name for the certificate; may be repeated", "HOST"},
        {"ip", 0, 0, G_OPTION_ARG_STRING_ARRAY, &flags->ip,
         "create, bundle: an address for the certificate; may be repeated", "ADDRESS"},
        {"insecure", 'i', 0, G_OPTION_ARG_NONE, &flags->insecure,
         "pkg: take the private key from the key store, where an upstream tool put it", NULL},
        {"file", 'f', 0, G_OPTION_ARG_FILENAME, &flags->file,
         "import-priv: the CA's private key. Default: ca-private.pem in the directory", "FILE"},
        {"serial", 's', 0, G_OPTION_ARG_INT64, &flags->serial,
         "import-priv: the last serial number that was used", "NUMBER"},
        {"for", 0, 0, G_OPTION_ARG_STRING, &flags->target,
         "bundle: registrar, verifier, tenant or agent", "PROGRAM"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &flags->output, "bundle: the folder to make",
         "DIR"},
        {"check-config", 0, 0, G_OPTION_ARG_NONE, &flags->check_config,
         "Show every option of ca.conf with its value and source, and every problem, and exit",
         NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &flags->json, "check-config: print one JSON object",
         NULL},
        {"example-config", 0, 0, G_OPTION_ARG_NONE, &flags->example_config,
         "Print a ca.conf with all options, their defaults and meaning, and exit", NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &flags->version, "Print the version and exit", NULL},
        G_OPTION_ENTRY_NULL,
    };
    GOptionContext *context = g_option_context_new("- certificates of a Keylime installation");
    g_autofree char *description = command_help();
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_description(context, description);
    return context;
}

static const CaCommand *find_command(const char *name)
{
    for (const CaCommand *command = ca_commands; command->name; command++)
        if (g_strcmp0(command->name, name) == 0)
            return command;
    return NULL;
}

/* The name becomes one of file names. */
static bool name_is_good(const char *name)
{
    return agent_id_is_valid(name) && name[0] != '.' && strlen(name) <= NAME_MAX_SIZE;
}

/* What is wrong with the flags, or NULL. */
static const char *problem_of(const Flags *flags, const CaCommand *command)
{
    if (!flags->command)
        return "a command is required: -c COMMAND";
    if (!command)
        return "there is no such command";
    if (command->needs_name && !flags->name)
        return "this command needs a name: -n NAME";
    if (flags->name && !name_is_good(flags->name))
        return "--name must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with no dot";
    if (flags->role && strcmp(flags->role, "client") != 0 && strcmp(flags->role, "server") != 0)
        return "--role must be client or server";
    return NULL;
}

/* The directory, made where it lies in the work directory. NULL: it cannot be used. */
static char *usable_directory(const Flags *flags)
{
    if (flags->directory)
        return g_strdup(flags->directory);
    const char *work = config_work_dir();
    if (access(work, R_OK | W_OK) != 0) {
        log_error("The work directory %s cannot be used: %s; choose one with --dir", work,
                  g_strerror(errno));
        return NULL;
    }
    return g_build_filename(work, "ca", NULL);
}

static int run(const Flags *flags, const CaCommand *command, const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autofree AuthoritySettings *settings = authority_settings_load(&error);
    CaRequest request = {
        .directory = directory,
        .settings = settings,
        .name = flags->name,
        .role = g_strcmp0(flags->role, "server") == 0 ? PKI_ROLE_SERVER : PKI_ROLE_CLIENT,
        .dns = (const char *const *)flags->dns,
        .ip = (const char *const *)flags->ip,
        .key_from_store = flags->insecure,
        .file = flags->file,
        .serial = flags->serial,
        .target = flags->target,
        .output = flags->output,
    };
    bool asks = command->needs_password || flags->insecure;
    char *password = NULL;
    bool good = settings && (!asks || password_for_keystore(settings->password, &password, &error));
    if (password)
        settings->password = password;
    good = good && command->run(&request, &error);
    secret_free_text(password);
    if (!good)
        log_error("%s", error->message);
    return good ? 0 : STATUS_FAILED;
}

int main(int argc, char **argv)
{
    g_auto(Flags) flags = {.serial = -1};
    g_autoptr(GOptionContext) context = make_context(&flags);
    g_autoptr(GError) error = NULL;
    umask(0077);
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        log_error("%s", error->message);
        return STATUS_USAGE;
    }
    if (argc > 1) {
        log_error("unknown argument '%s'; see --help", argv[1]);
        return STATUS_USAGE;
    }
    if (flags.version) {
        puts("keylime_ca " KEYLIME_VERSION);
        return 0;
    }
    if (flags.json && !flags.check_config) {
        log_error("--json belongs to --check-config");
        return STATUS_USAGE;
    }
    if (flags.check_config)
        return check_config(&authority_schema, NULL, flags.json, argv[0]);
    if (flags.example_config) {
        config_print_example(&authority_schema, stdout);
        return 0;
    }
    const CaCommand *command = find_command(flags.command);
    const char *problem = problem_of(&flags, command);
    if (problem) {
        g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);
        log_error("%s", problem);
        fputs(help, stderr);
        return STATUS_UPSTREAM_USAGE;
    }
    g_autofree char *directory = usable_directory(&flags);
    return directory ? run(&flags, command, directory) : STATUS_UPSTREAM_USAGE;
}
