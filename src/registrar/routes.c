/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's API (registrar-api §4). Agents identify themselves by their TPM, so registration
 * and proof are public; the rest is for admins. */
#include "registrar/handlers.h"
#include "registrar/registrar.h"

#define BOTH (ROUTE_V2 | ROUTE_V3)

/* clang-format off */
const Route registrar_routes[] = {
    {HTTP_GET,    "/version",                  ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "read_version", versions_show},
    {HTTP_GET,    "/",                         ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "read_version", root_probe},

    {HTTP_POST,   "/agents",                   BOTH, ACCESS_PUBLIC, BODY_JSON, "create_registration", registration_register},
    {HTTP_POST,   "/agents/:agent_id",         BOTH, ACCESS_PUBLIC, BODY_JSON, "create_registration", registration_register},
    {HTTP_PUT,    "/agents/:agent_id",         BOTH, ACCESS_PUBLIC, BODY_JSON, "activate_registration", registration_prove},
    {HTTP_POST,   "/agents/:agent_id/activate", BOTH, ACCESS_PUBLIC, BODY_JSON, "activate_registration", registration_prove},
    {HTTP_PUT,    "/agents/:agent_id/activate", BOTH, ACCESS_PUBLIC, BODY_JSON, "activate_registration", registration_prove},

    {HTTP_GET,    "/agents",                   BOTH, ACCESS_ADMIN, BODY_NONE, "list_registrations", agents_list},
    {HTTP_GET,    "/agents/:agent_id",         BOTH, ACCESS_ADMIN, BODY_NONE, "read_registration", agents_show},
    {HTTP_DELETE, "/agents/:agent_id",         BOTH, ACCESS_ADMIN, BODY_NONE, "delete_registration", agents_delete},
    {.handler = NULL},
};
/* clang-format on */
