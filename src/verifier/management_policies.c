/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/management_policies.h"

#include "http/envelope.h"

static void send_no_names(HttpResponse *response, const char *member)
{
    Json *results = json_object_new_object();
    json_add(results, member, json_object_new_array());
    envelope_v2(response, 200, "Success", results);
}

void runtime_policies_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    send_no_names(response, "runtimepolicy names");
}

void mb_policies_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    send_no_names(response, "mbpolicy names");
}

void policies_v3_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    envelope_resource(response, request, 200, json_object_new_array(), NULL);
}
