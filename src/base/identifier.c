/* SPDX-License-Identifier: Apache-2.0 */
#include "base/identifier.h"

#include <glib.h>
#include <string.h>

bool agent_id_is_valid(const char *id)
{
    if (!id)
        return false;
    size_t length = strlen(id);
    if (length == 0 || length > AGENT_ID_MAX)
        return false;
    /* A path library on the way would fold these two away. */
    if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(id[i]) && !strchr("._-", id[i]))
            return false;
    return true;
}
