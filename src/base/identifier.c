/* SPDX-License-Identifier: Apache-2.0 */
#include "base/identifier.h"

#include <glib.h>
#include <string.h>

/* A path library on the way would fold these two away. */
static bool is_dots(const char *id)
{
    return strcmp(id, ".") == 0 || strcmp(id, "..") == 0;
}

bool agent_id_is_valid(const char *id)
{
    if (!id || *id == '\0' || strlen(id) > AGENT_ID_MAX || is_dots(id))
        return false;
    for (const char *at = id; *at; at++)
        if (!g_ascii_isalnum(*at) && !strchr("._-", *at))
            return false;
    return true;
}

bool policy_name_is_valid(const char *name)
{
    if (!name || *name == '\0' || strlen(name) > POLICY_NAME_MAX || is_dots(name))
        return false;
    for (const char *at = name; *at; at++)
        if (!g_ascii_isgraph(*at) || *at == '/')
            return false;
    return true;
}
