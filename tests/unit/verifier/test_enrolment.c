/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator posts (decision D83). The system tests go through each member over HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "verifier/management/enrolment.h"
#include "verifier/policies/posted_policy.h"

/* verifier-push-api, appendix A. */
#define AK                                                                                         \
    "ARgAAQALAAUAcgAAABAAFAALCAAAAAAAAQCzdArdLU20C8ls4iCaGetI2DOOiaBz6kbrjO/Wb07Mgu0kKNMAuMtCKtOl" \
    "ysnlGNXRzoI2AqOtADLX573uXPuZSlaHS80rxwWFnVr4ARPgmKPXRUCFp7jYeGvMK+TrZu5ptmZ2VON3UWsxPced/"    \
    "adeO"                                                                                         \
    "XyUKODjjlW365qpddaca8SUMbhjQbcJMMq50lLSGx0egZihpQnE8/"                                        \
    "PlvzgaxC6bvayVlG1h34SVlS4jB63PvjmDXRpVsL"                                                     \
    "FNxTGpZVgcpjHAJnpM5mfTxT6cZe8LB6DAWPllPnVAcTw8mSMKr4zvQQHlNbPV9uAn4yB+"                       \
    "wmApKHbvSmcMae3gL8HyFfK"                                                                      \
    "RHcEZ"
#define AK_NAME "000b0a98e842f53b2baf7e2d7011ed572844de02d904e20a881a3aa36aab67fc5e57"

static const VerifierSettings settings = {.uuid = "default", .ip = "192.0.2.1", .port = 8881};

static AgentRecord *enrol(Json *posted, GError **error)
{
    g_autoptr(PolicyRules) rules = policy_rules_new(BOOT_RULES_EXAMPLE, false);
    g_auto(PolicyChoices) choices = {0};
    return enrolment_read(posted, "a1", &settings, rules, &choices, error);
}

static bool update(Json *members, AgentRecord *record, PolicyChoices *choices, bool *reference,
                   GError **error)
{
    g_autoptr(PolicyRules) rules = policy_rules_new(BOOT_RULES_EXAMPLE, false);
    policy_choices_clear(choices);
    *choices = (PolicyChoices){0};
    return enrolment_update(members, record, rules, choices, reference, error);
}

static Json *members(void)
{
    Json *all = json_parse(
        bytes_of_text("{\"v\":null,\"verifier_ip\":\"10.1.0.5\",\"verifier_port\":\"8882\","
                      "\"tpm_policy\":\"{\\\"mask\\\": \\\"0x400\\\"}\",\"runtime_policy\":\"\","
                      "\"runtime_policy_name\":\"\",\"mb_policy\":null,\"mb_policy_name\":\"\","
                      "\"ima_sign_verification_keys\":\"\",\"metadata\":\"{}\","
                      "\"revocation_key\":\"\",\"accept_tpm_hash_algs\":[\"sha512\",\"sha256\"],"
                      "\"accept_tpm_encryption_algs\":[\"ecc\",\"rsa\"],"
                      "\"accept_tpm_signing_algs\":[\"ecschnorr\",\"rsassa\"],"
                      "\"mtls_cert\":\"disabled\",\"supported_version\":\"2.6\"}"),
        NULL);
    json_add_text(all, "ak_tpm", AK);
    return all;
}

static Json *object(const char *text)
{
    Json *value = json_parse(bytes_of_text(text), NULL);
    assert_non_null(value);
    return value;
}

static void a_tenants_post_becomes_a_record(void **state)
{
    g_autoptr(Json) posted = members();
    g_autoptr(GError) error = NULL;
    g_autoptr(AgentRecord) record = enrol(posted, &error);
    assert_non_null(record);
    assert_string_equal(record->agent_id, "a1");
    assert_string_equal(record->verifier_id, "default");
    assert_string_equal(record->verifier_ip, "10.1.0.5");
    assert_int_equal(record->verifier_port, 8882);
    assert_string_equal(record->tpm_policy, "{\"mask\": \"0x400\"}");
    assert_string_equal(record->accept_hashes, "[\"sha512\",\"sha256\"]");
    assert_string_equal(record->mtls_cert, "disabled");
    assert_int_equal(record->operational_state, AGENT_STATE_ACTIVE);
    assert_true(record->accept_attestations);
    g_autofree char *name = hex_encode(bytes_of_gbytes(record->ak_name));
    assert_string_equal(name, AK_NAME);
    assert_string_equal(agent_record_status(record), "PENDING");
}

static void absent_addresses_are_the_verifiers(void **state)
{
    g_autoptr(Json) posted = members();
    json_object_object_del(posted, "verifier_ip");
    json_add_null(posted, "verifier_port");
    g_autoptr(AgentRecord) record = enrol(posted, NULL);
    assert_string_equal(record->verifier_ip, "192.0.2.1");
    assert_int_equal(record->verifier_port, 8881);
}

static void an_error_names_its_member(void **state)
{
    static const struct {
        const char *member, *value;
    } rows[] = {
        {"ak_tpm", "\"ARgAAQAL\""},
        {"tpm_policy", "\"{\\\"24\\\": []}\""},
        {"accept_tpm_hash_algs", "[\"md5\"]"},
        {"accept_tpm_signing_algs", "\"rsassa\""},
        {"accept_tpm_encryption_algs", "{}"},
        {"runtime_policy", "\"e30\""},
        {"runtime_policy", "\"e30=\""},
        {"runtime_policy", "7"},
        {"runtime_policy_name", "\"a/b\""},
        {"mb_policy", "{\"keys\":[]}"},
        {"mb_policy", "\"{\""},
        {"mb_policy_name", "7"},
        {"ima_sign_verification_keys", "\"{}\""},
        {"metadata", "7"},
        {"verifier_port", "0"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Json) posted = members();
        g_autofree char *text = g_strdup_printf("{\"%s\": %s}", rows[i].member, rows[i].value);
        g_autoptr(Json) change = object(text);
        json_add(posted, rows[i].member, json_object_get(json_member(change, rows[i].member)));
        g_autoptr(GError) error = NULL;
        assert_null(enrol(posted, &error));
        g_autofree char *member = enrolment_error_member(error);
        assert_string_equal(member, rows[i].member);
    }
}

static void an_update_changes_what_is_given(void **state)
{
    g_autoptr(Json) posted = members();
    g_autoptr(AgentRecord) record = enrol(posted, NULL);
    record->consecutive_failures = 3;
    bool reference = true;
    g_auto(PolicyChoices) choices = {0};
    g_autoptr(Json) metadata = object("{\"metadata\": {\"rack\": 7}}");
    assert_true(update(metadata, record, &choices, &reference, NULL));
    assert_false(reference);
    assert_string_equal(record->meta_data, "{\"rack\": 7}");
    assert_string_equal(record->verifier_ip, "10.1.0.5");
    assert_int_equal(record->verifier_port, 8882);
    assert_string_equal(record->mtls_cert, "disabled");
    assert_string_equal(record->tpm_policy, "{\"mask\": \"0x400\"}");

    g_autoptr(Json) lists = object("{\"accept_tpm_hash_algs\": [\"sha384\"], \"mtls_cert\": null}");
    assert_true(update(lists, record, &choices, &reference, NULL));
    assert_true(reference);
    assert_string_equal(record->accept_hashes, "[\"sha384\"]");
    assert_null(record->mtls_cert);
    assert_int_equal(record->consecutive_failures, 3);

    assert_false(choices.runtime.given || choices.boot.given);

    g_autoptr(Json) policy = object("{\"runtime_policy_name\": \"fleet\"}");
    assert_true(update(policy, record, &choices, &reference, NULL));
    assert_true(reference && choices.runtime.given && !choices.boot.given);
    assert_string_equal(choices.runtime.name, "fleet");
    assert_null(choices.runtime.posted);
}

static void status_words(void **state)
{
    static const struct {
        bool accept, pending;
        gint64 failures, count;
        const char *status;
    } rows[] = {
        {true, false, 0, 0, "PENDING"}, {true, false, 0, 5, "PASS"},
        {true, false, 1, 5, "FAIL"},    {false, false, 0, 5, "TIMEOUT"},
        {false, false, 2, 5, "FAIL"},   {true, true, 0, 5, "PENDING"},
        {false, true, 0, 5, "TIMEOUT"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        AgentRecord record = {
            .accept_attestations = rows[i].accept,
            .shown_pending = rows[i].pending,
            .consecutive_failures = rows[i].failures,
            .attestation_count = rows[i].count,
        };
        assert_string_equal(agent_record_status(&record), rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenants_post_becomes_a_record),
        cmocka_unit_test(absent_addresses_are_the_verifiers),
        cmocka_unit_test(an_error_names_its_member),
        cmocka_unit_test(an_update_changes_what_is_given),
        cmocka_unit_test(status_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
