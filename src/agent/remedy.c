/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/remedy.h"

#include "http/client.h"

#include <string.h>

/* How to get the right CA file. */
static char *copy_command(const PeerNames *names)
{
    return g_strdup_printf("scp %s:/var/lib/keylime/cv_ca/cacert.crt %s", names->server,
                           names->ca_file);
}

static char *certificate_remedy(const GError *error, const PeerNames *names)
{
    if (!names->ca_file)
        return g_strdup(error->message);
    g_autofree char *copy = copy_command(names);
    return g_strdup_printf(
        "%s; it must verify with option %s (%s); if the %s has another CA, copy its "
        "certificate: %s",
        error->message, names->ca_option, names->ca_file, names->server, copy);
}

char *remedy_for_ca_file(const GError *error, const PeerNames *names)
{
    if (!names->ca_file)
        return g_strdup(error->message);
    g_autofree char *copy = copy_command(names);
    return g_strdup_printf("%s = %s: %s; it must hold the CA certificate of the %s: %s",
                           names->ca_option, names->ca_file, error->message, names->server, copy);
}

char *remedy_for_transport(const GError *error, const PeerNames *names)
{
    if (error->domain != HTTP_CLIENT_ERROR)
        return g_strdup(error->message);
    switch ((HttpClientError)error->code) {
    case HTTP_CLIENT_ERROR_RESOLVE:
    case HTTP_CLIENT_ERROR_CONNECT:
        return g_strdup_printf(
            "Network error (connection failed): %s (check %s, and that the server "
            "runs and listens there: option ip of its configuration)",
            error->message, names->url_option);
    case HTTP_CLIENT_ERROR_TIMEOUT:
        return g_strdup_printf("Network error (timeout): %s (check %s, and that no firewall lies "
                               "between)",
                               error->message, names->url_option);
    case HTTP_CLIENT_ERROR_CERTIFICATE: {
        g_autofree char *text = certificate_remedy(error, names);
        return g_strdup_printf("Network error (connection failed): certificate verify failed: %s",
                               text);
    }
    case HTTP_CLIENT_ERROR_TLS:
        return g_strdup_printf(
            "Network error (connection failed): %s (no TLS on this port? check the "
            "port in %s: the verifier's is 8881, the registrar's with TLS 8891)",
            error->message, names->url_option);
    default:
        return g_strdup_printf("Network error: %s", error->message);
    }
}

char *remedy_answer_details(Json *body)
{
    g_autoptr(GString) text = g_string_new(NULL);
    Json *errors = json_member_of_type(body, "errors", json_type_array);
    size_t count = errors ? json_object_array_length(errors) : 0;
    for (size_t i = 0; i < count; i++) {
        Json *item = json_object_array_get_idx(errors, i);
        const char *detail = json_member_text(item, "detail");
        const char *pointer = json_member_text(json_member(item, "source"), "pointer");
        if (!detail)
            detail = json_member_text(item, "title");
        if (detail)
            g_string_append_printf(text, "%s%s%s%s%s", text->len ? "; " : "", detail,
                                   pointer ? " (" : "", pointer ? pointer : "", pointer ? ")" : "");
    }
    const char *status = json_member_text(body, "status");
    if (text->len == 0 && status)
        g_string_append(text, status);
    /* One line, whatever the peer sends. */
    g_strdelimit(text->str, "\r\n\t", ' ');
    return g_string_free(g_steal_pointer(&text), FALSE);
}

const char *remedy_answer_code(Json *body)
{
    Json *errors = json_member_of_type(body, "errors", json_type_array);
    bool some = errors && json_object_array_length(errors) > 0;
    return some ? json_member_text(json_object_array_get_idx(errors, 0), "code") : NULL;
}

char *remedy_for_unknown_key(const char *agent_id)
{
    return g_strdup_printf("this agent (id %s) is not enrolled at the verifier, or its attestation "
                           "key has changed: see keylime_tenant -c status -u %s, then "
                           "keylime_tenant -c add --push-model -u %s or, for a new key, "
                           "keylime_tenant -c update --push-model -u %s",
                           agent_id, agent_id, agent_id, agent_id);
}

char *remedy_for_foreign_server(unsigned status)
{
    return g_strdup_printf("the server answers, but is no Keylime verifier (status %u), or the "
                           "verifier does not speak 3.0 (push): check verifier_url (the "
                           "verifier's port is 8881, the registrar's are 8890 and 8891), and "
                           "mode = push at the verifier",
                           status);
}

char *remedy_for_attestation(unsigned status, Json *body, const char *agent_id)
{
    const char *code = remedy_answer_code(body);
    if (status == 404 && g_strcmp0(code, "not_found") == 0)
        return g_strdup_printf("agent %s is not enrolled at the verifier: keylime_tenant -c add "
                               "--push-model -u %s",
                               agent_id, agent_id);
    if (status == 404)
        return remedy_for_foreign_server(status);
    if (status == 403 && g_strcmp0(code, "agent_attestations_disabled") == 0)
        return g_strdup_printf("an operator stopped this agent: keylime_tenant -c reactivate -u %s",
                               agent_id);
    if (status == 413)
        return g_strdup("raise max_upload_size at the verifier");
    g_autofree char *details = remedy_answer_details(body);
    if (status == 422 && strstr(details, "accept_tpm_"))
        return g_strdup_printf("compare tpm_signing_alg and tpm_hash_alg of this agent with the "
                               "accept_tpm_* lists of the tenant, and: keylime_tenant -c update "
                               "--push-model -u %s",
                               agent_id);
    if (!body || !(json_member(body, "errors") || json_member(body, "data")))
        return remedy_for_foreign_server(status);
    return NULL;
}
