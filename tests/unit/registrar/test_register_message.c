/* SPDX-License-Identifier: Apache-2.0 */
/* The registration's JSON, member by member. */
#include "registrar/register_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Parses; *reason as the parser gave it. */
static bool parse(const char *text, RegisterMessage *out, char **reason, Json **body)
{
    *body = json_parse(bytes_of_text(text), NULL);
    assert_non_null(*body);
    return register_message_parse(*body, out, reason);
}

static void expect_refusal(const char *text, const char *member)
{
    g_auto(RegisterMessage) message = {0};
    g_autofree char *reason = NULL;
    g_autoptr(Json) body = NULL;
    assert_false(parse(text, &message, &reason, &body));
    if (!reason || !g_str_has_prefix(reason, member))
        fail_msg("%s: %s", text, reason);
}

static void test_everything(void **state)
{
    g_auto(RegisterMessage) message = {0};
    g_autofree char *reason = NULL;
    g_autoptr(Json) body = NULL;
    assert_true(parse("{\"ek_tpm\":\"ZWs=\",\"aik_tpm\":\"YWs=\",\"ekcert\":\"cert\","
                      "\"iak_tpm\":\"aWFr\",\"iak_cert\":\"ic\",\"idevid_tpm\":\"aWRl\","
                      "\"idevid_cert\":\"dc\",\"iak_attest\":\"YXQ=\",\"iak_sign\":\"c2k=\","
                      "\"ip\":\"::1\",\"port\":\"9002\",\"mtls_cert\":\"disabled\","
                      "\"regcount\":7,\"other\":{}}",
                      &message, &reason, &body));
    assert_true(bytes_equal(bytes_of_gbytes(message.ek_tpm), bytes_of_text("ek")));
    assert_true(bytes_equal(bytes_of_gbytes(message.aik_tpm), bytes_of_text("ak")));
    assert_true(bytes_equal(bytes_of_gbytes(message.iak_tpm), bytes_of_text("iak")));
    assert_true(bytes_equal(bytes_of_gbytes(message.idevid_tpm), bytes_of_text("ide")));
    assert_true(bytes_equal(bytes_of_gbytes(message.iak_attest), bytes_of_text("at")));
    assert_true(bytes_equal(bytes_of_gbytes(message.iak_sign), bytes_of_text("si")));
    assert_string_equal(message.ekcert, "cert");
    assert_string_equal(message.iak_cert, "ic");
    assert_string_equal(message.idevid_cert, "dc");
    assert_string_equal(message.ip, "::1");
    assert_string_equal(message.mtls_cert, "disabled");
    assert_true(message.has_port);
    assert_int_equal(message.port, 9002);
}

static void test_absent_null_and_empty_are_one(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"ek_tpm\":null,\"ekcert\":null,\"ip\":null,\"port\":null,\"mtls_cert\":null}",
        "{\"ek_tpm\":\"\",\"ekcert\":\"\",\"ip\":\"\",\"port\":\"\",\"mtls_cert\":\"\"}",
    };
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(RegisterMessage) message = {0};
        g_autofree char *reason = NULL;
        g_autoptr(Json) body = NULL;
        assert_true(parse(texts[i], &message, &reason, &body));
        assert_null(message.ek_tpm);
        assert_null(message.ekcert);
        assert_null(message.ip);
        assert_null(message.mtls_cert);
        assert_false(message.has_port);
    }
}

static void test_hexadecimal_where_it_is_no_base64(void **state)
{
    g_auto(RegisterMessage) message = {0};
    g_autofree char *reason = NULL;
    g_autoptr(Json) body = NULL;
    assert_true(
        parse("{\"ek_tpm\":\"0x656b2121\",\"aik_tpm\":\"616B21\"}", &message, &reason, &body));
    assert_true(bytes_equal(bytes_of_gbytes(message.ek_tpm), bytes_of_text("ek!!")));
    assert_true(bytes_equal(bytes_of_gbytes(message.aik_tpm), bytes_of_text("ak!")));
}

static void test_refusals(void **state)
{
    expect_refusal("{\"ek_tpm\":\"***\"}", "ek_tpm");
    expect_refusal("{\"ek_tpm\":\"ZWs\"}", "ek_tpm");
    expect_refusal("{\"ek_tpm\":\"ZWs=\\n\"}", "ek_tpm");
    expect_refusal("{\"ek_tpm\":\"a\\u0000b\"}", "ek_tpm");
    expect_refusal("{\"aik_tpm\":7}", "aik_tpm");
    expect_refusal("{\"aik_tpm\":[]}", "aik_tpm");
    expect_refusal("{\"ekcert\":{}}", "ekcert");
    expect_refusal("{\"iak_sign\":true}", "iak_sign");
    expect_refusal("{\"ip\":1}", "ip");
    expect_refusal("{\"port\":0}", "port");
    expect_refusal("{\"port\":65536}", "port");
    expect_refusal("{\"port\":-1}", "port");
    expect_refusal("{\"port\":99999999999999999999}", "port");
    expect_refusal("{\"port\":true}", "port");
    expect_refusal("{\"port\":9.5}", "port");
    expect_refusal("{\"port\":\"x\"}", "port");
    expect_refusal("{\"port\":\"9002 \"}", "port");
    expect_refusal("{\"mtls_cert\":false}", "mtls_cert");
}

static void test_answer(void **state)
{
    g_autoptr(Json) answer = register_message_answer(bytes_of_text("blob"));
    g_autofree char *text = json_to_text(answer);
    assert_string_equal(text, "{\"blob\":\"YmxvYg==\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_absent_null_and_empty_are_one),
        cmocka_unit_test(test_hexadecimal_where_it_is_no_base64),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
