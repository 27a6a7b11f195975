/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's API (verifier-push-api §2.2, §3.3; tenant-and-management-api §3.1). The first
 * route that fits wins, so "latest" stands before ":index".
 */
#include "verifier/attestation/routes.h"
#include "verifier/management/policies.h"
#include "verifier/management/v2.h"
#include "verifier/management/v3.h"
#include "verifier/server_info.h"
#include "verifier/session/routes.h"
#include "verifier/verifier.h"
#include "verifier/verify/routes.h"
#include "verifier/verify/submitted_evidence.h"

#define BOTH (ROUTE_V2 | ROUTE_V3)

/* clang-format off */
const Route verifier_routes[] = {
    /* the server */
    {HTTP_GET, "/", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "read_server_info", server_info_redirect},
    {HTTP_GET, "/version", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "read_version", server_info_version},
    {HTTP_GET, "/versions", ROUTE_UNVERSIONED, ACCESS_PUBLIC, BODY_NONE, "read_version", server_info_version},
    {HTTP_GET, "/", ROUTE_V3, ACCESS_PUBLIC, BODY_NONE, "read_server_info", server_info_root_v3},
    {HTTP_GET, "/", ROUTE_V2, ACCESS_PUBLIC, BODY_NONE, "read_server_info", server_info_root_v2},

    /* agents prove who they are */
    {HTTP_POST, "/sessions", ROUTE_V3, ACCESS_PUBLIC, BODY_JSON, "create_session", session_create, .ignore_token = true, .max_body = SESSION_BODY_MAX},
    {HTTP_PATCH, "/sessions/:session_id", ROUTE_V3, ACCESS_PUBLIC, BODY_JSON, "extend_session", session_prove, .ignore_token = true, .max_body = SESSION_BODY_MAX},

    /* agents attest */
    {HTTP_POST, "/agents/:agent_id/attestations", ROUTE_V3, ACCESS_AGENT, BODY_JSON_API, "submit_attestation", attestation_create, .max_body = CAPABILITIES_BODY_MAX},
    {HTTP_PATCH, "/agents/:agent_id/attestations/latest", ROUTE_V3, ACCESS_AGENT, BODY_JSON_API, "submit_attestation", attestation_submit_latest},
    {HTTP_PATCH, "/agents/:agent_id/attestations/:index", ROUTE_V3, ACCESS_AGENT, BODY_JSON_API, "submit_attestation", attestation_submit},

    /* operators read attestations */
    {HTTP_GET, "/agents/:agent_id/attestations", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "list_attestations", attestation_list},
    {HTTP_GET, "/agents/:agent_id/attestations/latest", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "read_attestation", attestation_show_latest},
    {HTTP_GET, "/agents/:agent_id/attestations/:index", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "read_attestation", attestation_show},

    /* operators manage agents */
    {HTTP_GET, "/agents", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "list_agents", agents_v2_list},
    {HTTP_GET, "/agents/:agent_id", ROUTE_V2, ACCESS_AGENT_OR_ADMIN, BODY_NONE, "read_agent", agents_v2_show},
    {HTTP_POST, "/agents/:agent_id", ROUTE_V2, ACCESS_ADMIN, BODY_JSON, "create_agent", agents_v2_enrol},
    {HTTP_DELETE, "/agents/:agent_id", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "delete_agent", agents_v2_delete},
    {HTTP_PUT, "/agents/:agent_id/reactivate", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "reactivate_agent", agents_v2_reactivate},
    {HTTP_PUT, "/agents/:agent_id/stop", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "stop_agent", agents_v2_stop},
    {HTTP_GET, "/agents", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "list_agents", agents_v3_list},
    {HTTP_POST, "/agents", ROUTE_V3, ACCESS_ADMIN, BODY_JSON, "create_agent", agents_v3_enrol},
    {HTTP_GET, "/agents/:agent_id", ROUTE_V3, ACCESS_AGENT_OR_ADMIN, BODY_NONE, "read_agent", agents_v3_show},
    {HTTP_PATCH, "/agents/:agent_id", ROUTE_V3, ACCESS_ADMIN, BODY_JSON, "update_agent", agents_v3_update},
    {HTTP_DELETE, "/agents/:agent_id", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "delete_agent", agents_v3_delete},

    /* named policies */
    {HTTP_GET, "/allowlists", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "list_runtime_policies", policies_list},
    {HTTP_GET, "/allowlists/:name", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "read_runtime_policy", policies_show},
    {HTTP_POST, "/allowlists/:name", ROUTE_V2, ACCESS_ADMIN, BODY_JSON, "create_runtime_policy", policies_create},
    {HTTP_PUT, "/allowlists/:name", ROUTE_V2, ACCESS_ADMIN, BODY_JSON, "update_runtime_policy", policies_replace},
    {HTTP_DELETE, "/allowlists/:name", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "delete_runtime_policy", policies_delete},
    {HTTP_GET, "/mbpolicies", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "list_mb_policies", policies_list},
    {HTTP_GET, "/mbpolicies/:name", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "read_mb_policy", policies_show},
    {HTTP_POST, "/mbpolicies/:name", ROUTE_V2, ACCESS_ADMIN, BODY_JSON, "create_mb_policy", policies_create},
    {HTTP_PUT, "/mbpolicies/:name", ROUTE_V2, ACCESS_ADMIN, BODY_JSON, "update_mb_policy", policies_replace},
    {HTTP_DELETE, "/mbpolicies/:name", ROUTE_V2, ACCESS_ADMIN, BODY_NONE, "delete_mb_policy", policies_delete},
    {HTTP_GET, "/policies/ima", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "list_runtime_policies", policies_list},
    {HTTP_POST, "/policies/ima", ROUTE_V3, ACCESS_ADMIN, BODY_JSON, "create_runtime_policy", policies_create},
    {HTTP_GET, "/policies/ima/:name", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "read_runtime_policy", policies_show},
    {HTTP_PATCH, "/policies/ima/:name", ROUTE_V3, ACCESS_ADMIN, BODY_JSON, "update_runtime_policy", policies_replace},
    {HTTP_DELETE, "/policies/ima/:name", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "delete_runtime_policy", policies_delete},
    {HTTP_GET, "/refstates/uefi", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "list_mb_policies", policies_list},
    {HTTP_POST, "/refstates/uefi", ROUTE_V3, ACCESS_ADMIN, BODY_JSON, "create_mb_policy", policies_create},
    {HTTP_GET, "/refstates/uefi/:name", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "read_mb_policy", policies_show},
    {HTTP_PATCH, "/refstates/uefi/:name", ROUTE_V3, ACCESS_ADMIN, BODY_JSON, "update_mb_policy", policies_replace},
    {HTTP_DELETE, "/refstates/uefi/:name", ROUTE_V3, ACCESS_ADMIN, BODY_NONE, "delete_mb_policy", policies_delete},
    /* verdicts without consequences */
    {HTTP_GET, "/verify/identity", BOTH, ACCESS_OPEN, BODY_NONE, "verify_identity", verify_identity, .heavy = true},
    {HTTP_POST, "/verify/evidence", BOTH, ACCESS_OPEN, BODY_JSON, "verify_evidence", verify_evidence, .heavy = true, .max_body = SUBMITTED_BODY_MAX},
    {.handler = NULL},
};
/* clang-format on */
