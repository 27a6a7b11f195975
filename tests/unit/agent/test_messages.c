/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's messages against push-agent §19 and verifier-push-api §4, §5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/message_attestation.h"
#include "agent/message_registration.h"
#include "agent/message_session.h"
#include "agent/remedy.h"
#include "agent/software_tpm.h"

#include <string.h>

#define ID "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"

static Json *parse(const char *text)
{
    Json *value = json_parse(bytes_of_text(text), NULL);
    assert_non_null(value);
    return value;
}

static void test_registration_request(void **state)
{
    (void)state;
    RegistrationRequest request = {.ak_public = bytes_of_text("AK"),
                                   .ek_public = bytes_of_text("EK"),
                                   .contact_ip = "127.0.0.1",
                                   .contact_port = 9002};
    g_autofree char *bare = registration_request_write(&request);
    assert_string_equal(
        bare, "{\"aik_tpm\":\"QUs=\",\"ek_tpm\":\"RUs=\",\"iak_cert\":null,\"idevid_cert\":null,"
              "\"ip\":\"127.0.0.1\",\"mtls_cert\":\"disabled\",\"port\":9002}");
    request.ek_certificates = "-----BEGIN CERTIFICATE-----\n";
    request.iak_public = request.idevid_public = request.iak_attest = request.iak_signature =
        request.iak_certificate = request.idevid_certificate = bytes_of_text("x");
    g_autofree char *full = registration_request_write(&request);
    g_autoptr(Json) body = parse(full);
    assert_string_equal(json_member_text(body, "ekcert"), request.ek_certificates);
    static const char *const members[] = {"iak_tpm",  "idevid_tpm", "iak_attest",
                                          "iak_sign", "iak_cert",   "idevid_cert"};
    for (guint i = 0; i < G_N_ELEMENTS(members); i++)
        assert_string_equal(json_member_text(body, members[i]), "eA==");
}

static void test_registrar_answers(void **state)
{
    (void)state;
    g_autoptr(Json) good =
        parse("{\"code\":200,\"status\":\"Success\",\"results\":{\"blob\":\"utzA3g==\"}}");
    g_autoptr(GBytes) blob = registration_answer_read(good, NULL);
    assert_int_equal(g_bytes_get_size(blob), 4);
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "{\"results\":{\"blob\":\"\"}}",
                                      "{\"results\":{\"blob\":null}}",
                                      "{\"results\":{\"blob\":\"?\"}}",
                                      "{\"results\":\"x\"}"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Json) body = parse(bad[i]);
        g_autoptr(GError) error = NULL;
        assert_null(registration_answer_read(body, &error));
        assert_true(error->domain == MESSAGE_ERROR);
    }
    assert_null(registration_answer_read(NULL, NULL));
    assert_true(activation_answer_read(good, NULL));
    assert_false(activation_answer_read(NULL, NULL));
    g_autofree char *tag = activation_request_write("abc");
    assert_string_equal(tag, "{\"auth_tag\":\"abc\"}");
}

static void test_version_choice(void **state)
{
    (void)state;
    char *ours[] = {(char *)"2.1", (char *)"2.5", (char *)"2.6", NULL};
    char *third[] = {(char *)"3.0", NULL}, *both[] = {(char *)"3.0", (char *)"2.2", NULL};
    const char *const upstream[] = {"1.0", "2.0", "2.1", "2.6", "3.0", NULL},
                      *const old[] = {"2.1", "2.5", NULL}, *const future[] = {"2.7", "4.0", NULL};
    assert_string_equal(version_choose(ours, upstream), "2.6");
    assert_string_equal(version_choose(ours, old), "2.5");
    assert_null(version_choose(ours, future));
    assert_string_equal(version_choose(ours, NULL), "2.6");
    assert_string_equal(version_choose(third, upstream), "3.0");
    assert_string_equal(version_choose(both, upstream), "3.0");
    assert_string_equal(version_choose(both, NULL), "2.2");
    g_autoptr(Json) body = parse("{\"results\":{\"supported_versions\":[\"2.1\",\"2.6\"]}}");
    g_autofree const char **versions = version_answer_read(body, NULL);
    assert_string_equal(versions[1], "2.6");
    g_autoptr(Json) none = parse("{\"results\":{}}");
    assert_null(version_answer_read(none, NULL));
}

static void test_session_messages(void **state)
{
    (void)state;
    g_autofree char *request = session_request_write(ID);
    assert_string_equal(request,
                        "{\"data\":{\"type\":\"session\",\"attributes\":{\"agent_id\":\"" ID "\","
                        "\"authentication_supported\":[{\"authentication_class\":\"pop\","
                        "\"authentication_type\":\"tpm_pop\"}]}}}");
    /* Another method first: it is not ours. */
    g_autoptr(Json) answer = parse(
        "{\"data\":{\"type\":\"session\",\"id\":\"9b0e\",\"attributes\":{\"agent_id\":\"" ID "\","
        "\"authentication_requested\":[{\"authentication_class\":\"x\",\"authentication_type\":"
        "\"y\"},"
        "{\"authentication_class\":\"pop\",\"authentication_type\":\"tpm_pop\",\"chosen_"
        "parameters\":"
        "{\"challenge\":\"EBESExQVFhcYGRobHB0eHw==\"}}]}}}");
    g_auto(SessionChallenge) challenge = {0};
    assert_true(session_challenge_read(answer, &challenge, NULL));
    assert_string_equal(challenge.session_id, "9b0e");
    assert_int_equal(g_bytes_get_size(challenge.challenge), 16);
    g_autofree char *proof =
        session_proof_write(ID, "9b0e", bytes_of_text("M"), bytes_of_text("S"));
    assert_string_equal(
        proof, "{\"data\":{\"type\":\"session\",\"id\":\"9b0e\",\"attributes\":{\"agent_id\":\"" ID
               "\",\"authentication_provided\":[{\"authentication_class\":\"pop\","
               "\"authentication_type\":\"tpm_pop\",\"data\":{\"message\":\"TQ==\","
               "\"signature\":\"Uw==\"}}]}}}");
}

static void test_session_results(void **state)
{
    (void)state;
    g_autofree char *evaluation = NULL;
    char *token = NULL;
    g_autoptr(Json) pass =
        parse("{\"data\":{\"attributes\":{\"evaluation\":\"pass\",\"token\":\"a.b-c\"}}}");
    assert_true(session_result_read(pass, &evaluation, &token, NULL));
    assert_string_equal(token, "a.b-c");
    g_free(token);
    g_clear_pointer(&evaluation, g_free);
    g_autoptr(Json) fail =
        parse("{\"data\":{\"attributes\":{\"evaluation\":\"fail\",\"token\":\"a\"}}}");
    assert_true(session_result_read(fail, &evaluation, &token, NULL));
    assert_string_equal(evaluation, "fail");
    assert_null(token);
    static const char *const bad[] = {
        "{\"data\":{\"attributes\":{}}}",
        "{\"data\":{\"attributes\":{\"evaluation\":\"pass\"}}}",
        "{\"data\":{\"attributes\":{\"evaluation\":\"pass\",\"token\":\"\"}}}",
        "{\"data\":{\"attributes\":{\"evaluation\":\"pass\",\"token\":\"a\\r\\nX: y\"}}}",
    };
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Json) body = parse(bad[i]);
        char *word = NULL;
        assert_false(session_result_read(body, &word, &token, NULL));
        assert_null(word);
    }
}

static void test_capabilities(void **state)
{
    (void)state;
    const KeyTemplate keys = {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256};
    g_autoptr(SoftwareTpm) tpm = software_tpm_new(&keys, NULL);
    g_autoptr(GBytes) tpmt = NULL;
    g_autoptr(GBytes) private_part = NULL;
    assert_true(software_tpm_create_ak(tpm, &tpmt, &private_part, NULL));
    TpmCapabilities has = {
        .ecdsa = true, .rsassa = true, .banks = {.count = 1, .bank = {{TPM_ALG_SHA256, 0x800001}}}};
    Capabilities capabilities = {.tpm = &has,
                                 .ak = software_tpm_ak(tpm),
                                 .server_identifier = "ak",
                                 .boot_time = "2026-03-02T08:58:12Z"};
    g_autofree char *text = capabilities_write(&capabilities);
    g_autoptr(Json) body = parse(text);
    Json *attributes = json_member(json_member(body, "data"), "attributes");
    Json *supported = json_member(attributes, "evidence_supported");
    assert_int_equal(json_object_array_length(supported), 1);
    Json *quote = json_member(json_object_array_get_idx(supported, 0), "capabilities");
    assert_string_equal(json_member_text(quote, "component_version"), "2.0");
    assert_string_equal(json_object_to_json_string_ext(json_member(quote, "available_subjects"),
                                                       JSON_C_TO_STRING_PLAIN),
                        "{\"sha256\":[0,23]}");
    assert_string_equal(json_object_to_json_string_ext(json_member(quote, "signature_schemes"),
                                                       JSON_C_TO_STRING_PLAIN),
                        "[\"ecdsa\",\"rsassa\"]");
    Json *key = json_object_array_get_idx(json_member(quote, "certification_keys"), 0);
    assert_string_equal(json_member_text(key, "key_algorithm"), "ecc");
    assert_int_equal(json_object_array_length(json_member(key, "allowable_hash_algorithms")), 1);
    assert_string_equal(json_member_text(json_member(attributes, "system_info"), "boot_time"),
                        "2026-03-02T08:58:12Z");
}

/* Logs are offered where there are any, in upstream's order and with its members (push-agent §9.1).
 */
static void test_capabilities_of_logs(void **state)
{
    (void)state;
    TpmCapabilities has = {.banks = {.count = 1, .bank = {{TPM_ALG_SHA256, 0xFFFFFF}}}};
    const TpmPublic ak = {.type = TPM_ALG_RSA,
                          .scheme = TPM_ALG_RSASSA,
                          .scheme_hash = TPM_ALG_SHA256,
                          .key_bits = 2048};
    Capabilities capabilities = {.tpm = &has,
                                 .ak = &ak,
                                 .server_identifier = "ak",
                                 .boot_time = "2026-03-02T08:58:12Z",
                                 .has_uefi_log = true,
                                 .uefi_events = 123,
                                 .uefi_version = "2.1",
                                 .ima_entries = 1234};
    g_autofree char *text = capabilities_write(&capabilities);
    assert_non_null(strstr(
        text, ",{\"evidence_class\":\"log\",\"evidence_type\":\"uefi_log\",\"capabilities\":{"
              "\"evidence_version\":\"2.1\",\"entry_count\":123,\"supports_partial_access\":false,"
              "\"appendable\":false,\"formats\":[\"application/octet-stream\"]}},"
              "{\"evidence_class\":\"log\",\"evidence_type\":\"ima_log\",\"capabilities\":{"
              "\"entry_count\":1234,\"supports_partial_access\":true,\"appendable\":true,"
              "\"formats\":[\"text/plain\"]}}]"));
}

#define REQUESTED(ITEMS)                                                                           \
    "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"stage\":\"awaiting_evidence\","         \
    "\"evidence_requested\":[" ITEMS                                                               \
    "],\"challenges_expire_at\":\"2026-03-02T09:45:00.600000Z\"}}}"
#define QUOTE(PARAMETERS)                                                                          \
    "{\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\",\"chosen_parameters\":" \
    "{" PARAMETERS "}}"
#define NONCE "\"challenge\":\"oKGio6SlpqeoqaqrrK2urw==\""

#define IMA(PARAMETERS)                                                                            \
    "{\"evidence_class\":\"log\",\"evidence_type\":\"ima_log\",\"chosen_parameters\":{" PARAMETERS \
    "\"format\":\"text/plain\"}}"
#define UEFI                                                                                       \
    "{\"evidence_class\":\"log\",\"evidence_type\":\"uefi_log\",\"chosen_parameters\":{"           \
    "\"format\":\"application/octet-stream\"}}"

static bool read_request(const char *text, guint64 offered_entries, EvidenceRequest *out)
{
    const TpmPublic ak = {.scheme = TPM_ALG_RSASSA, .scheme_hash = TPM_ALG_SHA256};
    Capabilities offered = {.ak = &ak, .has_uefi_log = true, .ima_entries = offered_entries};
    g_autoptr(Json) body = parse(text);
    return evidence_request_read(body, &offered, out, NULL);
}

static void test_evidence_request(void **state)
{
    (void)state;
    EvidenceRequest request = {0};
    assert_true(read_request(
        REQUESTED(QUOTE(NONCE ",\"signature_scheme\":\"rsassa\",\"hash_algorithm\":\"sha256\","
                              "\"selected_subjects\":{\"sha1\":null,\"sha256\":[10,23]}")),
        0, &request));
    assert_int_equal(request.selection.count, 1);
    assert_int_equal(request.selection.bank[0].pcrs, (1u << 10) | (1u << 23));
    assert_int_equal(g_bytes_get_size(request.challenge), 16);
    assert_true(request.expires > 0);
    assert_int_equal(request.count, 1);
    evidence_request_clear(&request);
}

static void test_request_of_logs(void **state)
{
    (void)state;
    EvidenceRequest request = {0};
    assert_true(read_request(REQUESTED(QUOTE(NONCE) "," UEFI "," IMA("\"starting_offset\":1200,")),
                             1234, &request));
    assert_int_equal(request.count, 3);
    assert_int_equal(request.kinds[0], EVIDENCE_QUOTE);
    assert_int_equal(request.kinds[1], EVIDENCE_UEFI_LOG);
    assert_int_equal(request.kinds[2], EVIDENCE_IMA_LOG);
    assert_int_equal(request.ima_first, 1200);
    assert_int_equal(request.ima_limit, 0);
    evidence_request_clear(&request);
    assert_true(read_request(REQUESTED(IMA("\"entry_count\":5,") "," QUOTE(NONCE)), 9, &request));
    assert_int_equal(request.kinds[0], EVIDENCE_IMA_LOG);
    assert_int_equal(request.ima_first, 0);
    assert_int_equal(request.ima_limit, 5);
    evidence_request_clear(&request);
}

static void test_impossible_evidence_requests(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        REQUESTED(""),
        REQUESTED(QUOTE("")),
        REQUESTED(QUOTE("\"challenge\":\"\"")),
        REQUESTED(QUOTE("\"challenge\":\"not base64\"")),
        REQUESTED(QUOTE(NONCE ",\"signature_scheme\":\"rsapss\"")),
        REQUESTED(QUOTE(NONCE ",\"hash_algorithm\":\"sha1\"")),
        REQUESTED(QUOTE(NONCE ",\"selected_subjects\":{\"sha256\":[24]}")),
        REQUESTED(QUOTE(NONCE ",\"selected_subjects\":{\"sha256\":[-1]}")),
        REQUESTED(QUOTE(NONCE ",\"selected_subjects\":{\"sha256\":[\"1\"]}")),
        REQUESTED(QUOTE(NONCE) "," QUOTE(NONCE)),
        REQUESTED(QUOTE(NONCE) "," IMA("")), /* not offered: there are no entries */
        REQUESTED(QUOTE(NONCE) "," UEFI "," UEFI),
        REQUESTED(UEFI), /* nothing proves it */
        REQUESTED("{\"evidence_class\":\"log\",\"evidence_type\":\"unheard_of\"}"),
    };
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        EvidenceRequest request = {0};
        assert_false(read_request(bad[i], 0, &request));
        evidence_request_clear(&request);
    }
    EvidenceRequest request = {0};
    assert_false(
        read_request(REQUESTED(QUOTE(NONCE) "," IMA("\"starting_offset\":-1,")), 5, &request));
    evidence_request_clear(&request);
}

/* Each item in the order of the request; bytes that are no UTF-8 go as they are, too (decision
 * D53). */
static void test_evidence_of_logs(void **state)
{
    (void)state;
    const EvidenceRequest request = {.kinds = {EVIDENCE_IMA_LOG, EVIDENCE_UEFI_LOG}, .count = 2};
    Evidence evidence = {.uefi_log = bytes_of("\0\1", 2),
                         .ima_text = bytes_of_text("10 aa ima-ng sha1:bb /x\n"),
                         .ima_entries = 1};
    g_autofree char *text = evidence_write(&request, &evidence);
    assert_string_equal(
        text, "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{"
              "\"evidence_class\":\"log\",\"evidence_type\":\"ima_log\",\"data\":{\"entries\":"
              "\"10 aa ima-ng sha1:bb /x\\n\",\"entry_count\":1}},{\"evidence_class\":\"log\","
              "\"evidence_type\":\"uefi_log\",\"data\":{\"entries\":\"AAE=\"}}]}}}");
    const EvidenceRequest only_ima = {.kinds = {EVIDENCE_IMA_LOG}, .count = 1};
    evidence.ima_text = bytes_of_text("/\xff\n");
    g_autofree char *odd = evidence_write(&only_ima, &evidence);
    assert_non_null(strstr(
        odd, "{\"entries\":\"/\xEF\xBF\xBD\\n\",\"entries_raw\":\"L/8K\",\"entry_count\":1}"));
    evidence.ima_text = BYTES_EMPTY;
    evidence.ima_entries = 0;
    g_autofree char *empty = evidence_write(&only_ima, &evidence);
    assert_non_null(strstr(empty, "{\"entries\":\"\",\"entry_count\":0}"));
}

static void test_evidence_and_acceptance(void **state)
{
    (void)state;
    const EvidenceRequest request = {.kinds = {EVIDENCE_QUOTE}, .count = 1};
    const Evidence evidence = {.message = bytes_of_text("M"),
                               .signature = bytes_of_text("S"),
                               .pcr_blob = bytes_of_text("P")};
    g_autofree char *text = evidence_write(&request, &evidence);
    assert_string_equal(
        text, "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{"
              "\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\",\"data\":{"
              "\"message\":\"TQ==\",\"signature\":\"Uw==\",\"subject_data\":\"UA==\"}}]}}}");
    g_autoptr(Json) told = parse("{\"meta\":{\"seconds_to_next_attestation\":60}}");
    g_autoptr(Json) negative = parse("{\"meta\":{\"seconds_to_next_attestation\":-1}}");
    g_autoptr(Json) word = parse("{\"meta\":{\"seconds_to_next_attestation\":\"x\"}}");
    assert_int_equal(acceptance_read(told), 60);
    assert_int_equal(acceptance_read(negative), -1);
    assert_int_equal(acceptance_read(word), -1);
    assert_int_equal(acceptance_read(NULL), -1);
}

static void test_answer_details(void **state)
{
    (void)state;
    g_autoptr(Json) errors =
        parse("{\"errors\":[{\"status\":\"422\",\"code\":\"invalid_resource_data\",\"detail\":"
              "\"no\\nway\","
              "\"source\":{\"pointer\":\"/data\"}},{\"title\":\"Forbidden\"}]}");
    g_autofree char *text = remedy_answer_details(errors);
    assert_string_equal(text, "no way (/data); Forbidden");
    assert_string_equal(remedy_answer_code(errors), "invalid_resource_data");
    g_autofree char *none = remedy_for_attestation(422, errors, "a1");
    assert_null(none);
    g_autoptr(Json) lists = parse("{\"errors\":[{\"detail\":\"see accept_tpm_hash_algs\"}]}");
    g_autofree char *advice = remedy_for_attestation(422, lists, "a1");
    assert_non_null(strstr(advice, "accept_tpm_* lists of the tenant"));
    g_autoptr(Json) v2 = parse("{\"code\":403,\"status\":\"no\",\"results\":{}}");
    g_autofree char *status = remedy_answer_details(v2);
    assert_string_equal(status, "no");
    g_autofree char *nothing = remedy_answer_details(NULL);
    assert_string_equal(nothing, "");
    g_autofree char *foreign = remedy_for_attestation(200, NULL, "a1");
    assert_non_null(strstr(foreign, "no Keylime verifier (status 200)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registration_request),
        cmocka_unit_test(test_registrar_answers),
        cmocka_unit_test(test_version_choice),
        cmocka_unit_test(test_session_messages),
        cmocka_unit_test(test_session_results),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_capabilities_of_logs),
        cmocka_unit_test(test_evidence_request),
        cmocka_unit_test(test_request_of_logs),
        cmocka_unit_test(test_evidence_of_logs),
        cmocka_unit_test(test_impossible_evidence_requests),
        cmocka_unit_test(test_evidence_and_acceptance),
        cmocka_unit_test(test_answer_details),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
