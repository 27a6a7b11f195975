/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/management/v3.h"

#include "base/identifier.h"
#include "base/log.h"
#include "http/envelope.h"
#include "verifier/database_trouble.h"
#include "verifier/management/enrolment.h"
#include "verifier/management/store.h"
#include "verifier/reply.h"

#define RESOURCE_TYPE "agent"

/* --- writing ---------------------------------------------------------------------------------- */

static char *link_to(const HttpRequest *request, const char *agent_id)
{
    return g_strconcat(http_request_version_prefix(request), "/agents/", agent_id, NULL);
}

static Json *resource_of(const HttpRequest *request, const AgentRecord *record,
                         const VerifierSettings *settings)
{
    g_autofree char *self = link_to(request, record->agent_id);
    Json *links = json_object_new_object();
    json_add_text(links, "self", self);
    Json *resource = json_object_new_object();
    json_add_text(resource, "type", RESOURCE_TYPE);
    json_add_text(resource, "id", record->agent_id);
    json_add(resource, "attributes", agent_record_to_json(record, settings));
    json_add(resource, "links", links);
    return resource;
}

static void refuse_unknown(const HttpRequest *request, HttpResponse *response, const char *agent_id)
{
    envelope_error(response, request, 404, "not_found", "No enrolled agent with ID '%s'.",
                   agent_id);
}

/* The error of enrolment with a pointer to the member that it names; its code is the status. */
static void refuse_members(const HttpRequest *request, HttpResponse *response,
                           const GError *refused)
{
    g_autofree char *member = enrolment_error_member(refused);
    g_autofree char *pointer = g_strconcat("/data/attributes/", member, NULL);
    reply_error(response, request, (unsigned)refused->code, member ? pointer : NULL, "%s",
                refused->message);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The id of the path; NULL when the answer is given. */
static const char *agent_id_of(const HttpRequest *request, HttpResponse *response)
{
    const char *agent_id = http_request_parameter(request, "agent_id");
    if (agent_id_is_valid(agent_id))
        return agent_id;
    envelope_error(response, request, 400, "invalid_request",
                   "agent_id must be 1 to 80 characters out of A-Z a-z 0-9 . _ -");
    return NULL;
}

/* `data` as one resource of our type; NULL when the answer is given. */
static Json *resource_in(const HttpRequest *request, HttpResponse *response)
{
    Json *data = json_member(http_request_json(request), "data");
    if (json_object_is_type(data, json_type_array) && json_object_array_length(data) == 1)
        data = json_object_array_get_idx(data, 0);
    if (!json_object_is_type(data, json_type_object)) {
        envelope_error(response, request, 400, "invalid_request", "data must be a resource");
        return NULL;
    }
    if (g_strcmp0(json_member_text(data, "type"), RESOURCE_TYPE) != 0) {
        envelope_error(response, request, 409, "conflict",
                       "The resource's type must be '" RESOURCE_TYPE "'");
        return NULL;
    }
    return data;
}

static Json *attributes_in(const HttpRequest *request, HttpResponse *response, Json *data)
{
    Json *attributes = json_member_of_type(data, "attributes", json_type_object);
    if (!attributes)
        envelope_error(response, request, 400, "invalid_request",
                       "data.attributes must be an object");
    return attributes;
}

/* --- handlers --------------------------------------------------------------------------------- */

void agents_v3_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;
    if (!management_read_all(verifier, http_request_query(request, "verifier"), &records, &error)) {
        database_trouble_api(response, request, error);
        return;
    }
    Json *list = json_object_new_array();
    for (guint i = 0; i < records->len; i++)
        json_object_array_add(
            list, resource_of(request, g_ptr_array_index(records, i), &verifier->settings));
    envelope_resource(response, request, 200, list, NULL);
}

void agents_v3_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const char *agent_id = agent_id_of(request, response);
    if (!agent_id)
        return;
    g_autoptr(AgentRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    if (!management_read(verifier, agent_id, &record, &error))
        database_trouble_api(response, request, error);
    else if (!record)
        refuse_unknown(request, response, agent_id);
    else
        envelope_resource(response, request, 200, resource_of(request, record, &verifier->settings),
                          NULL);
}

static void enrol(const HttpRequest *request, HttpResponse *response, Verifier *verifier,
                  const char *agent_id, Json *attributes)
{
    g_autoptr(GError) refused = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(PolicyChoices) choices = {0};
    g_autoptr(AgentRecord) record = enrolment_read(attributes, agent_id, &verifier->settings,
                                                   verifier->policy_rules, &choices, &refused);
    ManagementResult result = MANAGEMENT_DONE;
    if (record && !management_enrol(verifier, record, &choices, &result, &refused, &error)) {
        database_trouble_api(response, request, error);
    } else if (refused) {
        log_warning("Refused to enrol agent '%s': %s", agent_id, refused->message);
        refuse_members(request, response, refused);
    } else if (result == MANAGEMENT_EXISTS) {
        envelope_error(response, request, 409, "conflict", "Agent '%s' is enrolled already.",
                       agent_id);
    } else {
        g_assert(record); /* else it was refused */
        log_info("Agent '%s' enrolled by '%s'", agent_id, http_request_identity(request)->name);
        g_autofree char *location = link_to(request, agent_id);
        envelope_resource(response, request, 201, resource_of(request, record, &verifier->settings),
                          NULL);
        http_response_header(response, "Location", location);
    }
}

void agents_v3_enrol(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Json *data = resource_in(request, response);
    Json *attributes = data ? attributes_in(request, response, data) : NULL;
    if (!attributes)
        return;
    const char *agent_id = NULL;
    if (!reply_text_member(response, request, data, "id", "/data/id", &agent_id) ||
        (!agent_id && !reply_text_member(response, request, attributes, "agent_id",
                                         "/data/attributes/agent_id", &agent_id)))
        return;
    if (!agent_id_is_valid(agent_id)) {
        envelope_error(response, request, 400, "invalid_request",
                       "data.id must be an agent id of 1 to 80 characters out of"
                       " A-Z a-z 0-9 . _ -");
        return;
    }
    enrol(request, response, context, agent_id, attributes);
}

static void update(const HttpRequest *request, HttpResponse *response, Verifier *verifier,
                   const char *agent_id, Json *attributes)
{
    g_autoptr(AgentRecord) record = NULL;
    g_autoptr(GError) refused = NULL;
    g_autoptr(GError) error = NULL;
    ManagementResult result;
    if (!management_update(verifier, agent_id, attributes, &record, &result, &refused, &error)) {
        database_trouble_api(response, request, error);
    } else if (refused) {
        log_warning("Refused to update agent '%s': %s", agent_id, refused->message);
        refuse_members(request, response, refused);
    } else if (result != MANAGEMENT_DONE) {
        refuse_unknown(request, response, agent_id);
    } else {
        log_info("Agent '%s' updated by '%s'", agent_id, http_request_identity(request)->name);
        envelope_resource(response, request, 200, resource_of(request, record, &verifier->settings),
                          NULL);
    }
}

void agents_v3_update(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    const char *agent_id = agent_id_of(request, response);
    Json *data = agent_id ? resource_in(request, response) : NULL;
    Json *attributes = data ? attributes_in(request, response, data) : NULL;
    if (!attributes)
        return;
    const char *id;
    if (!reply_text_member(response, request, data, "id", "/data/id", &id))
        return;
    if (id && !g_str_equal(id, agent_id))
        envelope_error(response, request, 409, "conflict",
                       "data.id is not the agent id of the path");
    else
        update(request, response, context, agent_id, attributes);
}

void agents_v3_delete(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    const char *agent_id = agent_id_of(request, response);
    if (!agent_id)
        return;
    ManagementResult result;
    g_autoptr(GError) error = NULL;
    if (!management_delete(context, agent_id, &result, &error)) {
        database_trouble_api(response, request, error);
    } else if (result != MANAGEMENT_DONE) {
        refuse_unknown(request, response, agent_id);
    } else {
        log_info("Agent '%s' deleted by '%s'", agent_id, http_request_identity(request)->name);
        reply_deleted(response);
    }
}
