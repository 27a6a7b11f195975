/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tool.h"

#include <errno.h>
#include <string.h>

bool tool_wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

Json *tool_json_error(const char *message, int status)
{
    g_autofree char *text = g_utf8_make_valid(message, -1);
    Json *error = json_object_new_object();
    json_add_text(error, "message", text);
    json_add_int(error, "exit_status", status);
    return error;
}

bool tool_end_output(GError **error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    g_set_error(error, TOOL_ERROR, 0, "standard output: %s", g_strerror(errno));
    return false;
}

bool tool_print_json(Json *document, GError **error)
{
    g_autofree char *text = json_to_python_text(document);
    puts(text);
    return tool_end_output(error);
}
