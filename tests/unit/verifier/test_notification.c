/* SPDX-License-Identifier: Apache-2.0 */
/* What receivers get, and how long is waited between tries (configuration-and-operations §14.2,
 * decision D108). */
#include "base/encoding.h"
#include "verifier/notification/notification.h"
#include "verifier/notification/notification_key.h"
#include "verifier/notification/notification_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Mon Nov 23 17:25:10 2026 UTC */
#define EVENT_TIME (G_GINT64_CONSTANT(1795454710) * TIMESTAMP_SECOND)

static void a_failure_is_told_in_upstreams_form(void **state)
{
    const Notification notification = {
        .type = NOTIFICATION_REVOCATION,
        .sequence = 7,
        .time = EVENT_TIME,
        .agent_id = "a1",
        .tpm_policy = "{\"mask\": \"0x400\"}",
        .meta_data = "{}",
        .event_id = "ima.validation.ima_hash",
        .severity_label = "emergency",
        .context = "{\"message\": \"/bin/x\303\251\"}",
    };
    g_autofree char *message = notification_message(&notification);
    assert_string_equal(
        message,
        "{\"type\": \"revocation\", \"ip\": null, \"agent_id\": \"a1\", \"port\": null,"
        " \"tpm_policy\": \"{\\\"mask\\\": \\\"0x400\\\"}\", \"meta_data\": \"{}\","
        " \"event_time\": \"Mon Nov 23 17:25:10 2026\","
        " \"event_id\": \"ima.validation.ima_hash\", \"severity_label\": \"emergency\","
        " \"context\": \"{\\\"message\\\": \\\"/bin/x\\u00e9\\\"}\", \"event_sequence\": 7}");
}

static void what_is_not_known_is_left_out(void **state)
{
    const Notification notification = {
        .type = NOTIFICATION_COMM_ERROR,
        .sequence = 1,
        .time = EVENT_TIME - 20 * 86400 * TIMESTAMP_SECOND,
        .agent_id = "a1",
        .tpm_policy = "{}",
        .meta_data = "{}",
    };
    g_autofree char *message = notification_message(&notification);
    assert_string_equal(message,
                        "{\"type\": \"comm_error\", \"ip\": null, \"agent_id\": \"a1\","
                        " \"port\": null, \"tpm_policy\": \"{}\", \"meta_data\": \"{}\","
                        " \"event_time\": \"Tue Nov  3 17:25:10 2026\", \"event_sequence\": 1}");
}

static void the_body_holds_message_and_signature(void **state)
{
    g_autofree char *signed_body = notification_body("{\"a\": \"b\"}", "QUJD");
    assert_string_equal(signed_body,
                        "{\"msg\": \"{\\\"a\\\": \\\"b\\\"}\", \"signature\": \"QUJD\"}");
    g_autofree char *body = notification_body("{}", "");
    assert_string_equal(body, "{\"msg\": \"{}\", \"signature\": \"\"}");
}

static void the_signature_verifies_with_the_longest_salt(void **state)
{
    g_autoptr(EVP_PKEY) key = EVP_RSA_gen(2048);
    g_autofree char *pem = pem_of_private_key(key, NULL);
    g_autoptr(EVP_PKEY) read = notification_key_parse(pem, NULL);
    assert_non_null(read);
    g_autofree char *text = notification_sign(read, "message", NULL);
    g_autoptr(GBytes) signature = base64_decode(text);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters;
    assert_int_equal(EVP_DigestVerifyInit_ex(context, &parameters, "SHA256", NULL, NULL, key, NULL),
                     1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 222), 1);
    assert_int_equal(EVP_DigestVerify(context, g_bytes_get_data(signature, NULL),
                                      g_bytes_get_size(signature), (const uint8_t *)"message", 7),
                     1);
    EVP_MD_CTX_free(context);
}

static void assert_refused(const char *pem, const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(EVP_PKEY) key = notification_key_parse(pem, &error);
    assert_null(key);
    assert_non_null(strstr(error->message, reason));
}

static void other_keys_are_refused(void **state)
{
    g_autoptr(EVP_PKEY) small = EVP_RSA_gen(1024);
    g_autoptr(EVP_PKEY) curve = EVP_EC_gen("P-256");
    g_autofree char *small_pem = pem_of_private_key(small, NULL);
    g_autofree char *curve_pem = pem_of_private_key(curve, NULL);
    g_autofree char *locked_pem = pem_of_private_key(curve, "secret");
    g_autofree char *public_pem = pem_of_public_key(curve);
    g_autofree char *long_text = g_strnfill(20000, 'x');
    assert_refused(small_pem, "2048");
    assert_refused(curve_pem, "RSA");
    assert_refused(locked_pem, "private key");
    assert_refused(public_pem, "private key");
    assert_refused("no PEM", "private key");
    assert_refused(long_text, "longer");
}

static void waits_grow_up_to_a_bound(void **state)
{
    const NotificationSettings settings = {
        .retry_interval = 2 * TIMESTAMP_SECOND, .growing = true, .growing_tries = 5};
    const gint64 expected[] = {2, 4, 8, 16, 32, 32, 32};
    for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++)
        assert_int_equal(notification_wait(&settings, i + 1), expected[i] * TIMESTAMP_SECOND);
    assert_int_equal(notification_wait(&settings, G_MAXINT64), 32 * TIMESTAMP_SECOND);
}

static void waits_are_bounded_whatever_the_options(void **state)
{
    NotificationSettings settings = {
        .retry_interval = 86400 * TIMESTAMP_SECOND, .growing = true, .growing_tries = 1000};
    assert_int_equal(notification_wait(&settings, 1000), NOTIFICATION_WAIT_MAX);
    settings.growing = false;
    assert_int_equal(notification_wait(&settings, 3), NOTIFICATION_WAIT_MAX);
    settings.retry_interval = 3 * TIMESTAMP_SECOND;
    assert_int_equal(notification_wait(&settings, 1), 3 * TIMESTAMP_SECOND);
    assert_int_equal(notification_wait(&settings, 100), 3 * TIMESTAMP_SECOND);
    settings.growing = true;
    settings.growing_tries = 0;
    assert_int_equal(notification_wait(&settings, 9), 3 * TIMESTAMP_SECOND);
    /* A base of one second or less would shrink. */
    settings.retry_interval = TIMESTAMP_SECOND / 2;
    settings.growing_tries = 5;
    assert_int_equal(notification_wait(&settings, 9), TIMESTAMP_SECOND / 2);
    settings.retry_interval = 0;
    assert_int_equal(notification_wait(&settings, 9), TIMESTAMP_SECOND / 10);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_in_upstreams_form),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(the_body_holds_message_and_signature),
        cmocka_unit_test(the_signature_verifies_with_the_longest_salt),
        cmocka_unit_test(other_keys_are_refused),
        cmocka_unit_test(waits_grow_up_to_a_bound),
        cmocka_unit_test(waits_are_bounded_whatever_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
