/* SPDX-License-Identifier: Apache-2.0 */
#include "ca/arguments.h"

#include "ca/commands.h"

/* clang-format off */
#define TEXT(brief_, full_, member_, value_)     TOOL_OPTION(CaArguments, TOOL_TEXT, brief_, full_, member_, value_)
#define REPEATED(brief_, full_, member_, value_) TOOL_OPTION(CaArguments, TOOL_REPEATED, brief_, full_, member_, value_)
#define FLAG(brief_, full_, member_)             TOOL_OPTION(CaArguments, TOOL_FLAG, brief_, full_, member_, NULL)

#define CHOICE "What to do"
#define PAIR   "The certificate"
#define FILES  "Files"
#define OUTPUT "Output and configuration"

const ToolOption ca_options[] = {
    {TEXT("-c", "--command", command, "COMMAND"), .rare = true, .group = CHOICE,
     .help = "The command, where it is not the first word."},
    {TEXT("-d", "--dir", directory, "DIR"), .group = CHOICE, .default_text = "ca in the work directory",
     .help = "Directory of the CA. That of the verifier is cv_ca in the work directory."},

    {TEXT("-n", "--name", name, "NAME"), .group = PAIR, .commands = "create pkg revoke bundle",
     .help = "Common name of the certificate, and the beginning of its files' names: 1 to 64 of the characters A-Z a-z"
             " 0-9 . _ -"},
    {TEXT(NULL, "--role", role, "ROLE"), .group = PAIR, .commands = "create", .words = "client server",
     .default_text = "client", .help = "What the certificate is for. Who holds a client's can administer the servers."},
    {REPEATED(NULL, "--dns", dns, "HOST"), .group = PAIR, .commands = "create bundle",
     .default_text = "the common name", .help = "A host name that the certificate holds for."},
    {REPEATED(NULL, "--ip", ip, "ADDRESS"), .group = PAIR, .commands = "create bundle",
     .help = "An address that the certificate holds for."},

    {TEXT(NULL, "--for", target, "PROGRAM"), .group = FILES, .commands = "bundle",
     .words = "registrar verifier tenant agent", .help = "The program that the folder is for."},
    {TEXT("-o", "--output", output, "DIR"), .group = FILES, .commands = "bundle", .help = "The folder to make."},
    {FLAG("-i", "--insecure", insecure), .group = FILES, .commands = "pkg",
     .help = "Take the private key from the key store, where an upstream tool put it."},
    {TEXT("-f", "--file", file, "FILE"), .group = FILES, .commands = "import-priv",
     .default_text = "ca-private.pem in the directory", .help = "The CA's private key."},
    {TEXT("-s", "--serial", serial_text, "NUMBER"), .group = FILES, .commands = "import-priv",
     .help = "The last serial number that was used."},

    {FLAG(NULL, "--json", json), .group = OUTPUT,
     .help = "Print one JSON document on standard output, of an error too; messages go to standard error."},
    {FLAG("-h", "--help", help), .group = OUTPUT, .help = "Show this text; with a command, what that does."},
    {FLAG("-V", "--version", version), .rare = true, .group = OUTPUT, .help = "Show the version."},
    {FLAG(NULL, "--check-config", check_config), .rare = true, .group = OUTPUT,
     .help = "Show every option of ca.conf with its value and source, and every problem. With --json as one object."},
    {FLAG(NULL, "--example-config", example_config), .rare = true, .group = OUTPUT,
     .help = "Print a ca.conf with all options, their defaults and meaning."},
    {0},
};
/* clang-format on */

static bool read_serial(CaArguments *out, GError **error)
{
    out->serial = -1;
    if (!out->serial_text ||
        g_ascii_string_to_signed(out->serial_text, 10, 0, G_MAXINT64, &out->serial, NULL))
        return true;
    g_set_error(error, TOOL_ERROR, 0, "--serial %s: must be a number", out->serial_text);
    return false;
}

bool ca_arguments_parse(int argc, char **argv, CaArguments *out, GError **error)
{
    *out = (CaArguments){0};
    return tool_parse_command(&ca_tool, argc, argv, out, &out->command, error) &&
           read_serial(out, error);
}
