/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/management/policies.h"

#include "base/identifier.h"
#include "base/log.h"
#include "http/envelope.h"
#include "verifier/policies/policy_kind.h"
#include "verifier/policies/policy_store.h"
#include "verifier/reply.h"
#include "verifier/verifier.h"

/* --- what version 2 and version 3 say differently ----------------------------------------------
 */

static bool is_v2(const HttpRequest *request)
{
    return http_request_major(request) == 2;
}

static char *link_to(const HttpRequest *request, const PolicyWords *words, const char *name)
{
    return g_strconcat(http_request_version_prefix(request), words->v3_path, name, NULL);
}

/* A resource of version 3; `members` is taken over. */
static Json *resource_of(const HttpRequest *request, const PolicyWords *words, const char *name,
                         Json *members)
{
    g_autofree char *self = link_to(request, words, name);
    Json *links = json_object_new_object();
    json_add_text(links, "self", self);
    Json *resource = json_object_new_object();
    json_add_text(resource, "type", words->v3_type);
    json_add_text(resource, "id", name);
    json_add(resource, "attributes", members);
    json_add(resource, "links", links);
    return resource;
}

static void answer_names(const HttpRequest *request, HttpResponse *response,
                         const PolicyWords *words, const GPtrArray *names)
{
    Json *list = json_object_new_array();
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (is_v2(request)) {
            json_object_array_add(list, json_new_text(name));
            continue;
        }
        Json *members = json_object_new_object();
        json_add_text(members, "name", name);
        json_object_array_add(list, resource_of(request, words, name, members));
    }
    if (!is_v2(request)) {
        envelope_resource(response, request, 200, list, NULL);
        return;
    }
    Json *results = json_object_new_object();
    json_add(results, words->list_member, list);
    envelope_v2(response, 200, "Success", results);
}

static void answer_policy(const HttpRequest *request, HttpResponse *response, unsigned status,
                          const PolicyWords *words, const PolicyRecord *record)
{
    Json *members = policy_members_to_json(words, record);
    if (is_v2(request))
        envelope_v2(response, 200, "Success", members);
    else
        envelope_resource(response, request, status,
                          resource_of(request, words, record->name, members), NULL);
}

/* Version 2 has one answer for a policy that was stored (decision D74). */
static void answer_stored(const HttpRequest *request, HttpResponse *response, unsigned status,
                          const PolicyWords *words, const PolicyRecord *record)
{
    if (is_v2(request))
        envelope_v2(response, 201, "Created", NULL);
    else
        answer_policy(request, response, status, words, record);
}

/* The members of a posted policy: the body, or the attributes of the resource, whose id is *id
 * (NULL = not said). NULL when the answer is given. */
static Json *members_in(const HttpRequest *request, HttpResponse *response,
                        const PolicyWords *words, const char **id)
{
    Json *body = http_request_json(request);
    *id = NULL;
    if (is_v2(request))
        return body;
    Json *data = json_member_of_type(body, "data", json_type_object);
    Json *attributes = json_member_of_type(data, "attributes", json_type_object);
    if (!attributes) {
        reply_error(response, request, 400, NULL, "data must be a resource with attributes");
        return NULL;
    }
    if (g_strcmp0(json_member_text(data, "type"), words->v3_type) != 0) {
        reply_error(response, request, 409, "/data/type", "The resource's type must be '%s'",
                    words->v3_type);
        return NULL;
    }
    if (!reply_text_member(response, request, data, "id", "/data/id", id) ||
        (!*id &&
         !reply_text_member(response, request, attributes, "name", "/data/attributes/name", id)))
        return NULL;
    return attributes;
}

/* --- names --------------------------------------------------------------------------------------
 */

/* `name`, or NULL when the answer is given. */
static const char *check_name(const HttpRequest *request, HttpResponse *response, const char *name)
{
    if (policy_name_is_valid(name))
        return name;
    reply_error(response, request, 400, NULL,
                "a policy's name has 1 to 255 visible ASCII characters");
    return NULL;
}

/* Of the path, likewise. */
static const char *name_of(const HttpRequest *request, HttpResponse *response)
{
    return check_name(request, response, http_request_parameter(request, "name"));
}

/* Of the path, or where that has none, the resource's id; likewise. */
static const char *posted_name(const HttpRequest *request, HttpResponse *response, const char *id)
{
    const char *name = http_request_parameter(request, "name");
    if (*name == '\0')
        return check_name(request, response, id);
    if (!id || g_str_equal(id, name))
        return check_name(request, response, name);
    reply_error(response, request, 409, "/data/id", "data.id is not the policy's name in the path");
    return NULL;
}

/* --- handlers -----------------------------------------------------------------------------------
 */

static void log_change(const HttpRequest *request, const PolicyWords *words, const char *name,
                       const char *what)
{
    log_info("%s '%s' %s by '%s'", words->noun, name, what, http_request_identity(request)->name);
}

static void refuse_unknown(const HttpRequest *request, HttpResponse *response,
                           const PolicyWords *words, const char *name)
{
    reply_error(response, request, 404, NULL, "%s %s not found", words->noun, name);
}

void policies_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(GError) error = NULL;
    if (policy_store_names(verifier->database, words->kind, &names, &error))
        answer_names(request, response, words, names);
    else
        reply_trouble(response, request, error);
}

void policies_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = name_of(request, response);
    if (!name)
        return;
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    if (!policy_store_read(verifier->database, words->kind, name, &record, &error))
        reply_trouble(response, request, error);
    else if (!record)
        refuse_unknown(request, response, words, name);
    else
        answer_policy(request, response, 200, words, record);
}

static void refuse_posted(const HttpRequest *request, HttpResponse *response,
                          const PolicyWords *words, unsigned status, const char *name,
                          const char *reason)
{
    log_warning("Refused %s '%s': %s", words->member, name, reason);
    g_autofree char *pointer = g_strconcat("/data/attributes/", words->member, NULL);
    reply_error(response, request, status, pointer, "%s", reason);
}

/* The posted policy; NULL when the answer is given. */
static PolicyRecord *posted_policy(const HttpRequest *request, HttpResponse *response,
                                   const Verifier *verifier, const PolicyWords *words)
{
    const char *id;
    Json *members = members_in(request, response, words, &id);
    const char *name = members ? posted_name(request, response, id) : NULL;
    if (!name)
        return NULL;
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) refused = NULL;
    if (!words->read(verifier->policy_rules, members, name, &record, &refused)) {
        refuse_posted(request, response, words, (unsigned)refused->code, name, refused->message);
        return NULL;
    }
    if (!record && words->may_be_absent)
        record = policy_record_new(words->kind, name, NULL);
    if (!record) {
        g_autofree char *reason = g_strdup_printf("%s: is required", words->member);
        refuse_posted(request, response, words, 400, name, reason);
    }
    return g_steal_pointer(&record);
}

void policies_create(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(PolicyRecord) record = posted_policy(request, response, verifier, words);
    if (!record)
        return;
    PolicyResult result;
    g_autoptr(GError) error = NULL;
    if (!policy_store_create(verifier->database, record, &result, &error)) {
        reply_trouble(response, request, error);
    } else if (result == POLICY_EXISTS) {
        reply_error(response, request, 409, NULL, "%s with name %s already exists", words->noun,
                    record->name);
    } else {
        log_change(request, words, record->name, "created");
        g_autofree char *location = link_to(request, words, record->name);
        answer_stored(request, response, 201, words, record);
        if (!is_v2(request))
            http_response_header(response, "Location", location);
    }
}

void policies_replace(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    g_autoptr(PolicyRecord) record = posted_policy(request, response, verifier, words);
    if (!record)
        return;
    PolicyResult result;
    g_autoptr(GError) error = NULL;
    if (!policy_store_replace(verifier->database, record, &result, &error)) {
        reply_trouble(response, request, error);
    } else if (result == POLICY_NOT_FOUND) {
        reply_error(response, request, 404, NULL,
                    "%s with name %s does not already exist, use POST to create", words->noun,
                    record->name);
    } else {
        log_change(request, words, record->name, "replaced");
        answer_stored(request, response, 200, words, record);
    }
}

void policies_delete(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const PolicyWords *words = policy_words_of(request);
    const char *name = name_of(request, response);
    if (!name)
        return;
    PolicyResult result;
    g_autofree char *users = NULL;
    g_autoptr(GError) error = NULL;
    if (!policy_store_delete(verifier->database, words->kind, name, &result, &users, &error)) {
        reply_trouble(response, request, error);
    } else if (result == POLICY_NOT_FOUND) {
        refuse_unknown(request, response, words, name);
    } else if (result == POLICY_IN_USE) {
        reply_error(response, request, 409, NULL, "Can't delete %s as it's currently in use by %s",
                    words->short_noun, users);
    } else {
        log_change(request, words, name, "deleted");
        reply_deleted(response);
    }
}
