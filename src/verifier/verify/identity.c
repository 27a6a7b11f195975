/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "base/identifier.h"
#include "base/log.h"
#include "http/envelope.h"
#include "tpm/quote.h"
#include "verifier/appraisal/pool.h"
#include "verifier/management/store.h"
#include "verifier/reply.h"
#include "verifier/verify/compound_quote.h"
#include "verifier/verify/routes.h"

#define RESOURCE_TYPE "identity"
/* Upstream's event id, misspelling included (tenant-and-management-api §8.1). */
#define EVENT_QUOTE "qoute_validation.quote_validation"

typedef struct {
    const char *agent_id, *quote, *nonce, *hash_alg;
} Question;

/* In upstream's order; blank counts as missing. */
static bool read_question(const HttpRequest *request, HttpResponse *response, Question *out)
{
    const struct {
        const char *name, **value;
    } parameters[] = {{"agent_uuid", &out->agent_id},
                      {"quote", &out->quote},
                      {"nonce", &out->nonce},
                      {"hash_alg", &out->hash_alg}};
    for (unsigned i = 0; i < G_N_ELEMENTS(parameters); i++) {
        const char *value = http_request_query(request, parameters[i].name);
        if (!value || !*value) {
            reply_error(response, request, 400, NULL, "missing query parameter '%s'",
                        parameters[i].name);
            return false;
        }
        *parameters[i].value = value;
    }
    return true;
}

/* The algorithms that the operator accepts of this agent count here too (decision D6). */
static ProofResult verify_quote(const Question *question, const AgentRecord *agent,
                                const CompoundQuote *quote, uint16_t bank, const TpmPublic *ak,
                                References *references)
{
    g_autoptr(SharedWords) schemes = references_words(references, agent->accept_signing);
    g_autoptr(SharedWords) hashes = references_words(references, agent->accept_hashes);
    g_autoptr(GBytes) nonce = compound_quote_nonce(quote, question->nonce);
    const QuoteInput input = {
        .ak = ak,
        .message = bytes_of_gbytes(quote->message),
        .signature = bytes_of_gbytes(quote->signature),
        .pcr_blob = bytes_of_gbytes(quote->pcr_blob),
        .nonce = bytes_of_gbytes(nonce),
        .hash = bank,
        .rules = {.schemes = shared_words_texts(schemes), .hashes = shared_words_texts(hashes)},
    };
    g_autofree VerifiedQuote *verified = NULL;
    return quote_verify(&input, &verified);
}

static Verdict *judge(const Question *question, const AgentRecord *agent, References *references)
{
    Verdict *verdict = verdict_new();
    g_auto(CompoundQuote) quote = {0};
    g_autoptr(GError) error = NULL;
    uint16_t bank = compound_quote_bank(question->hash_alg, verdict);
    if (bank == 0 || !compound_quote_parse(question->quote, &quote, verdict))
        return verdict;
    g_autoptr(SharedKey) key = references_key(references, agent->ak_tpm, &error);
    if (!key) {
        compound_quote_fail(verdict, error->message);
        return verdict;
    }
    ProofResult result =
        verify_quote(question, agent, &quote, bank, shared_key_public(key), references);
    if (result != PROOF_VERIFIED)
        verdict_fail_message(verdict, EVENT_QUOTE, "quote: %s", proof_result_text(result));
    return verdict;
}

/* The contexts of the failures as JSON texts, as upstream tells them. NULL when there are none. */
static char *reason_of(const Verdict *verdict)
{
    GString *reason = g_string_new(NULL);
    size_t count = json_object_array_length(verdict->failures);
    for (size_t i = 0; i < count; i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        g_autofree char *context = json_to_python_text(json_member(failure, "context"));
        g_string_append_printf(reason, "%s%s", i > 0 ? "; " : "", context);
    }
    return g_string_free(reason, count == 0);
}

static void answer(const HttpRequest *request, HttpResponse *response, const char *agent_id,
                   const Verdict *verdict)
{
    g_autofree char *reason = reason_of(verdict);
    Json *results = json_object_new_object();
    if (http_request_major(request) == 2)
        json_add_int(results, "valid", reason ? 0 : 1);
    else
        json_add_bool(results, "valid", !reason);
    if (reason)
        json_add_text(results, "reason", reason);
    if (http_request_major(request) == 2) {
        envelope_v2(response, 200, "Success", results);
        return;
    }
    Json *resource = json_object_new_object();
    json_add_text(resource, "type", RESOURCE_TYPE);
    json_add_text(resource, "id", agent_id);
    json_add(resource, "attributes", results);
    envelope_resource(response, request, 200, resource, NULL);
}

void verify_identity(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    Question question;
    if (!read_question(request, response, &question))
        return;
    g_autoptr(AgentRecord) agent = NULL;
    g_autoptr(GError) error = NULL;
    if (agent_id_is_valid(question.agent_id) &&
        !management_read(verifier, question.agent_id, &agent, &error)) {
        reply_trouble(response, request, error);
    } else if (!agent) {
        reply_error(response, request, 404, NULL, "agent id not found");
    } else {
        g_autoptr(Verdict) verdict =
            judge(&question, agent, appraisal_pool_references(verifier->appraisals));
        log_info("Identity quote of agent '%s': %s", agent->agent_id,
                 evaluation_text(verdict->evaluation));
        answer(request, response, agent->agent_id, verdict);
    }
}
