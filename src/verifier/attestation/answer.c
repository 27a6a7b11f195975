/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/attestation/answer.h"

#include "base/log.h"

/* Lines about one refused request; an agent must not fill the log. */
#define MAX_PROBLEM_LINES 20

G_DEFINE_QUARK(attestation - error - quark, attestation_error)

bool attestation_lost(bool *lost, GError **error)
{
    *lost = true;
    g_set_error_literal(error, ATTESTATION_ERROR, ATTESTATION_ERROR_LOST,
                        "another request changed the agent meanwhile");
    return false;
}

void attestation_answer_broken(const HttpRequest *request, HttpResponse *response,
                               const char *agent_id, const GError *error)
{
    log_error("The enrolment of agent '%s' cannot be read: %s", agent_id, error->message);
    envelope_error(response, request, 500, "internal_error",
                   "The enrolment of agent '%s' cannot be read; it must be enrolled anew.",
                   agent_id);
}

void attestation_answer_problems(const HttpRequest *request, HttpResponse *response,
                                 const char *agent_id, const ApiErrors *problems)
{
    for (guint i = 0; i < MIN(problems->len, MAX_PROBLEM_LINES); i++) {
        const ApiError *problem = g_ptr_array_index(problems, i);
        log_warning("Refused a request of agent '%s': %s: %s", agent_id,
                    problem->pointer ? problem->pointer : "/", problem->detail);
    }
    envelope_errors(response, request, problems);
}
