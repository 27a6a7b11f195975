/* SPDX-License-Identifier: Apache-2.0 */
#include "ima-emulator/arguments.h"

/* clang-format off */
#define OPTION(kind_, brief_, full_, member_, value_) TOOL_OPTION(EmulatorArguments, kind_, brief_, full_, member_, value_)
#define HASHES "sha1 sha256 sha384 sha512"

static const ToolOption options[] = {
    {OPTION(TOOL_TEXT, "-f", "--ima-log", path, "FILE"), .group = "Options", .default_text = EMULATOR_DEFAULT_LIST,
     .help = "The measurement list."},
    {OPTION(TOOL_TEXT, "-i", "--ima-hash-alg", list_hash, "NAME"), .group = "Options", .words = HASHES,
     .default_text = "sha1", .help = "Hash of the list's second column."},
    {OPTION(TOOL_REPEATED, "-a", "--hash_algs", banks, "NAME"), .group = "Options", .words = HASHES,
     .default_text = "sha256", .help = "Bank to extend."},
    {OPTION(TOOL_FLAG, NULL, "--once", once, NULL), .group = "Options",
     .help = "Extend what the list holds now, and exit."},
    {OPTION(TOOL_FLAG, "-h", "--help", help, NULL), .group = "Options", .help = "Show this text."},
    {OPTION(TOOL_FLAG, "-V", "--version", version, NULL), .group = "Options", .help = "Show the version."},
    {0},
};
/* clang-format on */

const Tool emulator_tool = {
    .name = "keylime_ima_emulator",
    .synopsis = "[OPTION...]",
    .summary = "Extend PCR 10 of an emulated TPM from an IMA measurement list: for development and "
               "tests.",
    .options = options,
    .examples = "TCTI=swtpm:host=127.0.0.1,port=2321 keylime_ima_emulator",
    .notes = "The environment variable TCTI names the TPM. A TPM that is no emulator is refused.\n"
             "Exit status: 0 stopped, or --once; 1 TPM or list; 2 wrong command line.",
};
