/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/management_policies.h"

#include "base/identifier.h"
#include "base/log.h"
#include "http/envelope.h"
#include "verifier/database_trouble.h"
#include "verifier/policy_kind.h"
#include "verifier/policy_store.h"
#include "verifier/verifier.h"

#define NAME_RULE "a policy's name has 1 to 255 visible ASCII characters"

static const char *admin_of(const HttpRequest *request)
{
    const char *name = http_request_identity(request)->name;
    return name ? name : "";
}

static void log_change(const HttpRequest *request, const PolicyWords *words, const char *name,
                       const char *what)
{
    log_info("%s '%s' %s by '%s'", words->noun, name, what, admin_of(request));
}

static void log_refusal(const PolicyWords *words, const char *name, const GError *refused)
{
    log_warning("Refused %s '%s': %s", words->member, name, refused->message);
}

/* --- version 2 -------------------------------------------------------------------------------- */

static void send_v2(HttpResponse *response, unsigned status, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void send_v2(HttpResponse *response, unsigned status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    envelope_v2(response, status, text, NULL);
}

/* The name of the path; NULL when the answer is given. */
static const char *name_v2(const HttpRequest *request, HttpResponse *response)
{
    const char *name = http_request_parameter(request, "name");
    if (policy_name_is_valid(name))
        return name;
    envelope_v2(response, 400, NAME_RULE, NULL);
    return NULL;
}

void policies_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(GError) error = NULL;
    if (!policy_store_names(verifier->database, words->kind, &names, &error)) {
        database_trouble_v2(response, error);
        return;
    }
    Json *list = json_object_new_array();
    for (guint i = 0; i < names->len; i++)
        json_object_array_add(list, json_new_text(g_ptr_array_index(names, i)));
    Json *results = json_object_new_object();
    json_add(results, words->list_member, list);
    envelope_v2(response, 200, "Success", results);
}

void policies_v2_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = name_v2(request, response);
    if (!name)
        return;
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    if (!policy_store_read(verifier->database, words->kind, name, &record, &error))
        database_trouble_v2(response, error);
    else if (!record)
        send_v2(response, 404, "%s %s not found", words->noun, name);
    else
        envelope_v2(response, 200, "Success", policy_members_to_json(words, record));
}

/* The posted policy; NULL when the answer is given. */
static PolicyRecord *posted_v2(const HttpRequest *request, HttpResponse *response,
                               const Verifier *verifier, const PolicyWords *words)
{
    const char *name = name_v2(request, response);
    if (!name)
        return NULL;
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) refused = NULL;
    if (!words->read(verifier->policy_rules, http_request_json(request), name, &record, &refused)) {
        log_refusal(words, name, refused);
        envelope_v2(response, (unsigned)refused->code, refused->message, NULL);
        return NULL;
    }
    if (!record && words->may_be_absent)
        record = policy_record_new(words->kind, name, NULL);
    if (!record)
        send_v2(response, 400, "%s: is required", words->member);
    return g_steal_pointer(&record);
}

void policies_v2_create(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(PolicyRecord) record = posted_v2(request, response, verifier, words);
    if (!record)
        return;
    PolicyResult result;
    g_autoptr(GError) error = NULL;
    if (!policy_store_create(verifier->database, record, &result, &error)) {
        database_trouble_v2(response, error);
    } else if (result == POLICY_EXISTS) {
        send_v2(response, 409, "%s with name %s already exists", words->noun, record->name);
    } else {
        log_change(request, words, record->name, "created");
        envelope_v2(response, 201, "Created", NULL);
    }
}

void policies_v2_replace(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(PolicyRecord) record = posted_v2(request, response, verifier, words);
    if (!record)
        return;
    PolicyResult result;
    g_autoptr(GError) error = NULL;
    if (!policy_store_replace(verifier->database, record, &result, &error)) {
        database_trouble_v2(response, error);
    } else if (result == POLICY_NOT_FOUND) {
        send_v2(response, 404, "%s with name %s does not already exist, use POST to create",
                words->noun, record->name);
    } else {
        log_change(request, words, record->name, "replaced");
        envelope_v2(response, 201, "Created", NULL);
    }
}

void policies_v2_delete(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = name_v2(request, response);
    if (!name)
        return;
    PolicyResult result;
    g_autofree char *users = NULL;
    g_autoptr(GError) error = NULL;
    if (!policy_store_delete(verifier->database, words->kind, name, &result, &users, &error)) {
        database_trouble_v2(response, error);
    } else if (result == POLICY_NOT_FOUND) {
        send_v2(response, 404, "%s %s not found", words->noun, name);
    } else if (result == POLICY_IN_USE) {
        send_v2(response, 409, "Can't delete %s as it's currently in use by %s", words->short_noun,
                users);
    } else {
        log_change(request, words, name, "deleted");
        http_response_status(response, 204);
        http_response_body(response, NULL, NULL);
    }
}

/* --- version 3 -------------------------------------------------------------------------------- */

static char *link_v3(const HttpRequest *request, const PolicyWords *words, const char *name)
{
    return g_strconcat(http_request_version_prefix(request), words->v3_path, name, NULL);
}

/* `members` is taken over. */
static Json *resource_v3(const HttpRequest *request, const PolicyWords *words, const char *name,
                         Json *members)
{
    g_autofree char *self = link_v3(request, words, name);
    Json *links = json_object_new_object();
    json_add_text(links, "self", self);
    Json *resource = json_object_new_object();
    json_add_text(resource, "type", words->v3_type);
    json_add_text(resource, "id", name);
    json_add(resource, "attributes", members);
    json_add(resource, "links", links);
    return resource;
}

static void refuse_unknown_v3(const HttpRequest *request, HttpResponse *response,
                              const PolicyWords *words, const char *name)
{
    envelope_error(response, request, 404, "not_found", "%s %s not found.", words->noun, name);
}

void policies_v3_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(GError) error = NULL;
    if (!policy_store_names(verifier->database, words->kind, &names, &error)) {
        database_trouble_api(response, request, error);
        return;
    }
    Json *list = json_object_new_array();
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        Json *members = json_object_new_object();
        json_add_text(members, "name", name);
        json_object_array_add(list, resource_v3(request, words, name, members));
    }
    envelope_resource(response, request, 200, list, NULL);
}

void policies_v3_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = http_request_parameter(request, "name");
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    if (policy_name_is_valid(name) &&
        !policy_store_read(verifier->database, words->kind, name, &record, &error))
        database_trouble_api(response, request, error);
    else if (!record)
        refuse_unknown_v3(request, response, words, name);
    else
        envelope_resource(response, request, 200,
                          resource_v3(request, words, name, policy_members_to_json(words, record)),
                          NULL);
}

/* The attributes of the resource, and its id (NULL = not said); NULL when the answer is given. */
static Json *attributes_v3(const HttpRequest *request, HttpResponse *response,
                           const PolicyWords *words, const char **id)
{
    Json *data = json_member_of_type(http_request_json(request), "data", json_type_object);
    Json *attributes = json_member_of_type(data, "attributes", json_type_object);
    if (!attributes) {
        envelope_error(response, request, 400, "invalid_request",
                       "data must be a resource with attributes");
        return NULL;
    }
    if (g_strcmp0(json_member_text(data, "type"), words->v3_type) != 0) {
        envelope_error(response, request, 409, "conflict", "The resource's type must be '%s'",
                       words->v3_type);
        return NULL;
    }
    *id = json_member_text(data, "id");
    if (!*id)
        *id = json_member_text(attributes, "name");
    return attributes;
}

static void refuse_posted_v3(const HttpRequest *request, HttpResponse *response,
                             const PolicyWords *words, const char *name, const GError *refused)
{
    log_refusal(words, name, refused);
    g_autofree char *pointer = g_strconcat("/data/attributes/", words->member, NULL);
    g_autoptr(GPtrArray) errors = api_errors_new();
    unsigned status = (unsigned)refused->code;
    api_errors_add(errors, status, status == 401 ? "unauthorized" : "invalid_request", pointer,
                   "%s", refused->message);
    envelope_errors(response, request, errors);
}

/* The posted policy under `name`; NULL when the answer is given. */
static PolicyRecord *posted_v3(const HttpRequest *request, HttpResponse *response,
                               const Verifier *verifier, const PolicyWords *words, const char *name,
                               Json *attributes)
{
    if (!policy_name_is_valid(name)) {
        envelope_error(response, request, 400, "invalid_request", "data.id: " NAME_RULE);
        return NULL;
    }
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) refused = NULL;
    if (!words->read(verifier->policy_rules, attributes, name, &record, &refused)) {
        refuse_posted_v3(request, response, words, name, refused);
        return NULL;
    }
    if (!record && words->may_be_absent)
        record = policy_record_new(words->kind, name, NULL);
    if (!record)
        envelope_error(response, request, 400, "invalid_request", "%s is required", words->member);
    return g_steal_pointer(&record);
}

void policies_v3_create(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = NULL;
    Json *attributes = attributes_v3(request, response, words, &name);
    g_autoptr(PolicyRecord) record =
        attributes ? posted_v3(request, response, verifier, words, name, attributes) : NULL;
    if (!record)
        return;
    PolicyResult result;
    g_autoptr(GError) error = NULL;
    if (!policy_store_create(verifier->database, record, &result, &error)) {
        database_trouble_api(response, request, error);
    } else if (result == POLICY_EXISTS) {
        envelope_error(response, request, 409, "conflict", "%s with name %s already exists.",
                       words->noun, name);
    } else {
        log_change(request, words, name, "created");
        g_autofree char *location = link_v3(request, words, name);
        envelope_resource(response, request, 201,
                          resource_v3(request, words, name, policy_members_to_json(words, record)),
                          NULL);
        http_response_header(response, "Location", location);
    }
}

void policies_v3_update(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = http_request_parameter(request, "name");
    const char *id = NULL;
    Json *attributes = attributes_v3(request, response, words, &id);
    if (attributes && id && !g_str_equal(id, name)) {
        envelope_error(response, request, 409, "conflict",
                       "data.id is not the policy's name in the path");
        return;
    }
    g_autoptr(PolicyRecord) record =
        attributes ? posted_v3(request, response, verifier, words, name, attributes) : NULL;
    if (!record)
        return;
    PolicyResult result;
    g_autoptr(GError) error = NULL;
    if (!policy_store_replace(verifier->database, record, &result, &error)) {
        database_trouble_api(response, request, error);
    } else if (result == POLICY_NOT_FOUND) {
        refuse_unknown_v3(request, response, words, name);
    } else {
        log_change(request, words, name, "replaced");
        envelope_resource(response, request, 200,
                          resource_v3(request, words, name, policy_members_to_json(words, record)),
                          NULL);
    }
}

void policies_v3_delete(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = http_request_parameter(request, "name");
    PolicyResult result = POLICY_NOT_FOUND;
    g_autofree char *users = NULL;
    g_autoptr(GError) error = NULL;
    if (policy_name_is_valid(name) &&
        !policy_store_delete(verifier->database, words->kind, name, &result, &users, &error)) {
        database_trouble_api(response, request, error);
    } else if (result == POLICY_NOT_FOUND) {
        refuse_unknown_v3(request, response, words, name);
    } else if (result == POLICY_IN_USE) {
        envelope_error(response, request, 409, "conflict", "%s %s is in use by %s.", words->noun,
                       name, users);
    } else {
        log_change(request, words, name, "deleted");
        http_response_status(response, 204);
        http_response_body(response, NULL, NULL);
    }
}
