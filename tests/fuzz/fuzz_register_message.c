/* SPDX-License-Identifier: Apache-2.0 */
/* A registration's body, from its bytes to its members (registrar/register_message.h). */
#include "registrar/register_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(Json) body = json_parse(bytes_of(data, size), NULL);
    if (!json_object_is_type(body, json_type_object))
        return 0;
    g_auto(RegisterMessage) message = {0};
    g_autofree char *reason = NULL;
    bool good = register_message_parse(body, &message, &reason);
    g_assert(good == (reason == NULL));
    g_assert(!good || !message.has_port || (message.port >= 1 && message.port <= 65535));
    return 0;
}
