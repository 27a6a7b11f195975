/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "base/log.h"
#include "base/secret.h"
#include "verifier/appraisal/pool.h"
#include "verifier/attestation/answer.h"
#include "verifier/attestation/document.h"
#include "verifier/attestation/gate.h"
#include "verifier/attestation/log_progress.h"
#include "verifier/attestation/resource.h"
#include "verifier/attestation/routes.h"
#include "verifier/database_trouble.h"

#include <string.h>

/* One POST on its way through the steps of attestation_create(). */
typedef struct {
    const HttpRequest *request;
    HttpResponse *response;
    Verifier *verifier;
    const char *agent_id;
    Timestamp now;
    AgentRecord *agent;
    AttestationRecord *latest;
    char *ima_state; /* as it is stored, or NULL */
    AttestationRecord *created;
    bool lost; /* another request changed the agent meanwhile */
} Creation;

static void creation_clear(Creation *creation)
{
    agent_record_free(creation->agent);
    attestation_record_free(creation->latest);
    g_free(creation->ima_state);
    attestation_record_free(creation->created);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Creation, creation_clear)

/* --- the resource -------------------------------------------------------------------------- */

static Json *resource_or_answer(const Creation *creation)
{
    Json *resource = attestation_document_resource(http_request_json(creation->request));
    if (!resource)
        envelope_error(creation->response, creation->request, 400, "invalid_request",
                       "The document must have a resource object as 'data'.");
    else if (!json_member_text(resource, "type"))
        envelope_error(creation->response, creation->request, 400, "invalid_request",
                       "The resource must have a 'type'.");
    else if (!attestation_document_is_attestation(resource))
        envelope_error(creation->response, creation->request, 409, "conflict",
                       "The type of the resource must be 'attestation'.");
    else
        return resource;
    return NULL;
}

/* --- gates --------------------------------------------------------------------------------- */

static bool read_state(Connection *connection, gpointer data, GError **error)
{
    Creation *creation = data;
    g_clear_pointer(&creation->agent, agent_record_free);
    g_clear_pointer(&creation->latest, attestation_record_free);
    g_clear_pointer(&creation->ima_state, g_free);
    if (!agent_record_load(connection, creation->agent_id, &creation->agent, error))
        return false;
    if (!creation->agent)
        return true;
    return attestation_record_latest(connection, creation->agent_id, &creation->latest, error) &&
           (!creation->agent->runtime.wants_log ||
            log_progress_load(connection, creation->agent_id, &creation->ima_state, error));
}

/* The deadline that an agent has which was told to wait (decision D64): once for each evidence. */
typedef struct {
    const char *agent_id;
    Timestamp deadline;
} Prolongation;

static bool write_prolongation(Connection *connection, gpointer data, GError **error)
{
    const Prolongation *prolongation = data;
    return sql_run(connection, error,
                   "UPDATE agents SET told_to_wait = 1,"
                   " deadline = CASE WHEN deadline < $2 THEN $2 ELSE deadline END"
                   " WHERE agent_id = $1 AND told_to_wait = 0 AND deadline IS NOT NULL",
                   "ti", prolongation->agent_id, prolongation->deadline);
}

static void prolong(const Creation *creation, const Gate *gate)
{
    if (!gate->prolongs || creation->agent->told_to_wait || creation->agent->deadline == 0)
        return;
    Prolongation prolongation = {creation->agent_id,
                                 creation->now + (gint64)gate->retry_after * TIMESTAMP_SECOND +
                                     verifier_liveness_limit(&creation->verifier->settings)};
    g_autoptr(GError) error = NULL;
    if (!database_write(creation->verifier->database, write_prolongation, &prolongation, &error))
        log_warning("Cannot prolong the deadline of agent '%s': %s", creation->agent_id,
                    error->message);
}

static bool passes_gates(const Creation *creation)
{
    g_auto(Gate) gate;
    gate_create(creation->agent_id, creation->agent, creation->latest,
                &creation->verifier->settings, creation->now, &gate);
    if (gate.status == 0)
        return true;
    prolong(creation, &gate);
    gate_answer(&gate, creation->request, creation->response);
    return false;
}

/* --- negotiation --------------------------------------------------------------------------- */

/* What the enrolment says, as negotiation wants it. */
typedef struct {
    SharedKey *key;
    TpmPolicy *policy;
    SharedWords *hashes, *encryption, *signing;
    NegotiationTerms terms;
    ImaPushState *ima_state;
    char *ima_reference;
    LogTerms logs;
} Enrolment;

static void enrolment_clear(Enrolment *enrolment)
{
    shared_key_unref(enrolment->key);
    g_clear_pointer(&enrolment->policy, tpm_policy_unref);
    shared_words_unref(enrolment->hashes);
    shared_words_unref(enrolment->encryption);
    shared_words_unref(enrolment->signing);
    ima_push_state_free(enrolment->ima_state);
    g_free(enrolment->ima_reference);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Enrolment, enrolment_clear)

static bool read_enrolment(const Creation *creation, Enrolment *out, GError **error)
{
    const AgentRecord *agent = creation->agent;
    const VerifierSettings *settings = &creation->verifier->settings;
    References *references = appraisal_pool_references(creation->verifier->appraisals);
    *out = (Enrolment){0};
    out->key = references_key(references, agent->ak_tpm, error);
    out->policy = out->key ? references_policy(references, agent->tpm_policy, error) : NULL;
    if (!out->policy)
        return false;
    out->hashes = references_words(references, agent->accept_hashes);
    out->encryption = references_words(references, agent->accept_encryption);
    out->signing = references_words(references, agent->accept_signing);
    out->ima_reference = log_progress_ima_reference(agent, settings->ima_violations);
    if (agent->runtime.wants_log)
        out->ima_state = log_progress_ima_state(agent->agent_id, creation->ima_state);
    out->logs = (LogTerms){
        .wants_uefi = agent->boot.wants_log,
        .wants_ima = agent->runtime.wants_log,
        .uefi_pcrs = boot_required_pcrs(settings->boot_rules, settings->boot_pcrs),
        .ima_state = out->ima_state,
        .ima_reference = out->ima_reference,
        .ima_rules = ima_push_rules_default,
    };
    out->logs.ima_rules.reverify_on_policy_change = settings->ima_reverify;
    out->terms = (NegotiationTerms){
        .ak = shared_key_public(out->key),
        .accept = {shared_words_texts(out->hashes), shared_words_texts(out->encryption),
                   shared_words_texts(out->signing)},
        .required_pcrs = tpm_policy_pcrs(out->policy) | log_terms_pcrs(&out->logs),
    };
    return true;
}

static AttestationRecord *new_record(const Creation *creation, const Capabilities *capabilities,
                                     const Negotiated *negotiated, const NegotiatedLogs *logs)
{
    AttestationRecord *record = g_new0(AttestationRecord, 1);
    record->agent_id = g_strdup(creation->agent_id);
    record->index = creation->agent->next_index;
    record->boot_time = capabilities->boot_time;
    record->capabilities_received_at = creation->now;
    record->challenges_expire_at = creation->now + creation->verifier->settings.challenge_lifetime;
    secret_random(record->challenge, sizeof record->challenge);
    record->capabilities = offered_quote_store(negotiated->quote);
    record->quote_scheme = negotiated->scheme;
    record->quote_hash = negotiated->hash;
    record->quote_pcrs = negotiated->pcrs;
    record->quote_key = negotiated->key;
    asked_logs_of(logs, &record->logs);
    return record;
}

/* --- one transaction ----------------------------------------------------------------------- */

/* Creations of one agent happen one after the other: who finds the agent's row or the open
 * attestation changed since it was read has lost (decision D72). The attestation's row comes before
 * the agent's, as in every transaction that touches both. */
static bool store(Connection *connection, gpointer data, GError **error)
{
    Creation *creation = data;
    const AgentRecord *agent = creation->agent;
    const AttestationRecord *latest = creation->latest;
    guint64 changed = 0;
    creation->lost = false;
    if (latest && latest->stage == STAGE_AWAITING_EVIDENCE) {
        /* Abandoned: its index is not used again (decision D80). */
        if (!sql_change(connection, &changed, error,
                        "DELETE FROM attestations WHERE agent_id = $1 AND attestation_index = $2"
                        " AND stage = 'awaiting_evidence'",
                        "ti", creation->agent_id, latest->index))
            return false;
        creation->lost = changed == 0;
    }
    if (creation->lost)
        return true;
    Timestamp age = creation->now - agent->unanswered_since;
    bool new_window = age >= UNANSWERED_WINDOW || age < 0 || agent->unanswered_count == 0;
    if (!sql_change(connection, &changed, error,
                    "UPDATE agents SET next_index = next_index + 1, unanswered_since = $4,"
                    " unanswered_count = $5 WHERE agent_id = $1 AND next_index = $2"
                    " AND last_received_quote = $3 AND operational_state <> $6",
                    "tiiiii", creation->agent_id, agent->next_index, agent->last_received_quote,
                    new_window ? creation->now : agent->unanswered_since,
                    new_window ? (gint64)1 : agent->unanswered_count + 1,
                    (gint64)AGENT_STATE_STOPPED))
        return false;
    if (changed == 0)
        return attestation_lost(&creation->lost, error);
    return attestation_record_insert(connection, creation->created, error);
}

static void answer_created(const Creation *creation, const Negotiated *negotiated)
{
    const char *prefix = http_request_version_prefix(creation->request);
    const AttestationRecord *record = creation->created;
    g_autofree char *path = attestation_path(prefix, creation->agent_id, record->index);
    http_response_header(creation->response, "Location", path);
    envelope_resource(creation->response, creation->request, 201,
                      attestation_created_resource(record, negotiated, prefix), NULL);
    const AskedLog *ima = &record->logs.log[LOG_IMA];
    g_autofree char *from =
        ima->asked ? g_strdup_printf(", ima_log from entry %" G_GINT64_FORMAT, ima->offset) : NULL;
    log_info("Created attestation %" G_GINT64_FORMAT
             " for agent '%s': tpm_quote requested (%s, %s, PCRs 0x%06x)%s%s",
             record->index, creation->agent_id, tpm_algorithm_name(record->quote_scheme),
             tpm_algorithm_name(record->quote_hash), record->quote_pcrs,
             record->logs.log[LOG_UEFI].asked ? ", uefi_log" : "", from ? from : "");
}

static void create_with(Creation *creation, const Capabilities *capabilities,
                        const Negotiated *negotiated, const NegotiatedLogs *logs)
{
    creation->created = new_record(creation, capabilities, negotiated, logs);
    g_autoptr(GError) error = NULL;
    bool stored = database_write(creation->verifier->database, store, creation, &error);
    if (creation->lost)
        envelope_error(creation->response, creation->request, 409, "conflict",
                       "Cannot create attestation for agent '%s' while another creation attempt is"
                       " in progress.",
                       creation->agent_id);
    else if (!stored)
        database_trouble_api(creation->response, creation->request, error);
    else
        answer_created(creation, negotiated);
}

/* All that stands in the way is told at once. */
static bool agree(Enrolment *enrolment, const Capabilities *capabilities, Negotiated *negotiated,
                  NegotiatedLogs *logs, ApiErrors *problems)
{
    bool quote = negotiate(capabilities, &enrolment->terms, negotiated, problems);
    enrolment->logs.bank = quote ? negotiated->hash : 0;
    return negotiate_logs(capabilities, &enrolment->logs, logs, problems) && quote;
}

void attestation_create(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    g_auto(Creation) creation = {
        .request = request,
        .response = response,
        .verifier = context,
        .agent_id = http_request_parameter(request, "agent_id"),
        .now = timestamp_now(),
    };
    g_autoptr(GError) error = NULL;
    Json *resource = resource_or_answer(&creation);
    if (!resource)
        return;
    if (!database_read(creation.verifier->database, read_state, &creation, &error)) {
        database_trouble_api(response, request, error);
        return;
    }
    if (!passes_gates(&creation))
        return;

    g_autoptr(GPtrArray) problems = api_errors_new();
    g_autoptr(Capabilities) capabilities =
        capabilities_read(attestation_document_attributes(resource), problems);
    g_auto(Enrolment) enrolment = {0};
    if (capabilities && !read_enrolment(&creation, &enrolment, &error)) {
        attestation_answer_broken(request, response, creation.agent_id, error);
        return;
    }
    Negotiated negotiated;
    NegotiatedLogs logs;
    if (capabilities && agree(&enrolment, capabilities, &negotiated, &logs, problems))
        create_with(&creation, capabilities, &negotiated, &logs);
    else
        attestation_answer_problems(request, response, creation.agent_id, problems);
}
