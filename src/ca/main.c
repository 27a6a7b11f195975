/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_ca: the certificates of a Keylime installation (tenant-and-management-api §10).
 * Exit status: 0; 1 = the command failed; 2 = wrong command line; 255 = upstream's, for a missing
 * or unknown command, a missing option, and a work directory that cannot be used.
 */
#define LOG_NAME "keylime.ca-util"

#include "base/identifier.h"
#include "base/log.h"
#include "base/secret.h"
#include "ca/arguments.h"
#include "ca/commands.h"
#include "ca/password.h"
#include "config/check_config.h"
#include "config/logging.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_FAILED 1
#define STATUS_USAGE 2
#define STATUS_UPSTREAM_USAGE 255
/* X.520's bound of a common name. */
#define NAME_MAX_SIZE 64

/* The name becomes one of file names. */
static bool name_is_good(const char *name)
{
    return agent_id_is_valid(name) && name[0] != '.' && strlen(name) <= NAME_MAX_SIZE;
}

/* What is wrong with the options, or NULL. */
static const char *problem_of(const CaArguments *arguments, const CaCommand *command)
{
    if (!arguments->command)
        return "a command is required: keylime_ca COMMAND";
    if (!command)
        return "there is no such command";
    if (command->needs_name && !arguments->name)
        return "this command needs a name: -n NAME";
    if (arguments->name && !name_is_good(arguments->name))
        return "--name must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with no dot";
    return command->problem ? command->problem(arguments) : NULL;
}

/* The directory, made where it lies in the work directory. NULL: it cannot be used. */
static char *usable_directory(const CaArguments *arguments, GError **error)
{
    if (arguments->directory)
        return g_strdup(arguments->directory);
    const char *work = config_work_dir();
    if (access(work, R_OK | W_OK) == 0)
        return g_build_filename(work, "ca", NULL);
    g_set_error(error, CA_ERROR, CA_ERROR_REFUSED,
                "The work directory %s cannot be used: %s; choose one with --dir", work,
                g_strerror(errno));
    return NULL;
}

static void warn_of_useless_options(const CaArguments *arguments, const CaCommand *command)
{
    g_autofree char *names = tool_useless_options(ca_options, command->tool.name, arguments);
    if (names)
        log_warning("%s: no effect with %s", names, command->tool.name);
}

static bool run(const CaArguments *arguments, const CaCommand *command, const char *directory,
                GError **error)
{
    g_autofree AuthoritySettings *settings = authority_settings_load(error);
    CaRequest request = {
        .directory = directory,
        .settings = settings,
        .name = arguments->name,
        .role = g_strcmp0(arguments->role, "server") == 0 ? PKI_ROLE_SERVER : PKI_ROLE_CLIENT,
        .dns = arguments->dns[0] ? arguments->dns : NULL,
        .ip = arguments->ip[0] ? arguments->ip : NULL,
        .key_from_store = arguments->insecure,
        .file = arguments->file,
        .serial = arguments->serial,
        .target = arguments->target,
        .output = arguments->output,
    };
    bool asks = command->asks_password && command->asks_password(arguments);
    char *password = NULL;
    bool good = settings && (!asks || password_for_keystore(settings->password, &password, error));
    if (password)
        settings->password = password;
    good = good && command->run(&request, error);
    secret_free_text(password);
    return good;
}

/* --- --json --------------------------------------------------------------------------------------
 */

/* What was made, by the command's row in the table. */
static Json *result_of(const CaArguments *arguments, const CaCommand *command,
                       const char *directory)
{
    Json *document = json_object_new_object();
    json_add_text(document, "command", command->tool.name);
    json_add_text(document, "directory", command->makes ? directory : arguments->output);
    if (!command->makes) {
        json_add_text(document, "for", arguments->target);
        return document;
    }
    Json *files = json_object_new_array();
    g_auto(GStrv) names = g_strsplit(command->makes, " ", -1);
    for (guint i = 0; names[i]; i++) {
        const char *ending = g_str_has_prefix(names[i], "NAME") ? names[i] + strlen("NAME") : NULL;
        g_autofree char *name = ending ? g_strconcat(arguments->name, ending, NULL) : NULL;
        json_object_array_add(files, json_new_text(name ? name : names[i]));
    }
    json_add(document, "files", files);
    return document;
}

static int fail(bool json, const char *message, int status)
{
    log_error("%s", message);
    g_autoptr(GError) lost = NULL;
    g_autoptr(Json) document = json_object_new_object();
    json_add(document, "error", tool_json_error(message, status));
    if (json && !tool_print_json(document, &lost))
        log_error("%s", lost->message);
    return status;
}

/* --- the steps -----------------------------------------------------------------------------------
 */

static int work(const CaArguments *arguments)
{
    const CaCommand *command = ca_find_command(arguments->command);
    const char *problem = problem_of(arguments, command);
    if (problem) {
        int status = fail(arguments->json, problem, STATUS_UPSTREAM_USAGE);
        tool_print_help(&ca_tool, command ? &command->tool : NULL, stderr);
        return status;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = usable_directory(arguments, &error);
    if (error)
        return fail(arguments->json, error->message, STATUS_UPSTREAM_USAGE);
    warn_of_useless_options(arguments, command);
    if (!run(arguments, command, directory, &error))
        return fail(arguments->json, error->message, STATUS_FAILED);
    if (!arguments->json)
        return 0;
    g_autoptr(Json) result = result_of(arguments, command, directory);
    return tool_print_json(result, &error) ? 0 : fail(false, error->message, STATUS_FAILED);
}

int main(int argc, char **argv)
{
    CaArguments arguments;
    g_autoptr(GError) error = NULL;
    umask(0077);
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    if (!ca_arguments_parse(argc, argv, &arguments, &error))
        return fail(tool_wants_json(argc, argv), error->message, STATUS_USAGE);
    if (arguments.check_config)
        return check_config(&authority_schema, NULL, arguments.json, argv[0]);
    if (arguments.help)
        tool_print_help(&ca_tool, tool_find_command(&ca_tool, arguments.command), stdout);
    else if (arguments.version)
        puts("keylime_ca " KEYLIME_VERSION);
    else if (arguments.example_config)
        config_print_example(&authority_schema, stdout);
    else if (!logging_start(STDERR_FILENO, true, &error))
        return fail(arguments.json, error->message, STATUS_FAILED);
    else
        return work(&arguments);
    return 0;
}
