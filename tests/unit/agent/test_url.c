/* SPDX-License-Identifier: Apache-2.0 */
/* URL rules: contract C36, C39, C51, C106; decision D87. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/url.h"

#include <glib.h>

static void expect_origin(const char *text, const char *origin)
{
    assert_null(url_verifier_problem(text));
    Url url;
    url_parse(text, &url);
    assert_string_equal(url.origin, origin);
    url_clear(&url);
}

static void test_good_verifier_urls(void **state)
{
    (void)state;
    expect_origin("https://localhost:8881", "https://localhost:8881");
    expect_origin("https://localhost:8881/", "https://localhost:8881");
    expect_origin("HTTPS://verifier.example.com", "https://verifier.example.com:443");
    expect_origin("https://[::1]:8881", "https://[::1]:8881");
    expect_origin("https://192.0.2.7:1", "https://192.0.2.7:1");
}

static void test_bad_verifier_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "http://host:8881",
        "htps://host",
        "host:8881",
        "https://",
        "https://:8881",
        "https://u@host:8881",
        "https://host:0",
        "https://host:70000",
        "https://host:",
        "https://host:88x",
        "https://host/path",
        "https://host?q",
        "https://host#f",
        "https://ho st",
        "https://[::1",
        "https://[::g]:1",
        "https://[::1]x",
        "https://under_score/",
        "",
        "https://-a",
        "https://a..b",
        "https://[fe80::1%1]",
        "https://host:8881//",
    };
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_non_null(url_verifier_problem(bad[i]));
    assert_non_null(g_strrstr(url_verifier_problem("http://host:8881"), "must use https"));
}

static void test_registrar_url_may_be_plain(void **state)
{
    (void)state;
    Url url;
    assert_null(url_registrar_problem("http://127.0.0.1:8890"));
    assert_non_null(url_registrar_problem("ftp://127.0.0.1:8890"));
    url_parse("http://127.0.0.1", &url);
    assert_false(url.tls);
    assert_int_equal(url.port, 80);
    url_clear(&url);
    url_from_parts(true, "[::1]", 8891, &url);
    assert_string_equal(url.origin, "https://[::1]:8891");
    assert_string_equal(url.host, "::1");
    url_clear(&url);
}

static void test_hosts(void **state)
{
    (void)state;
    assert_true(url_host_is_valid("registrar.example.com"));
    assert_true(url_host_is_valid("127.0.0.1"));
    assert_true(url_host_is_valid("::1"));
    assert_true(url_host_is_valid("[::1]"));
    static const char *const bad[] = {"",     " ",  "a b", "a_b", "http://a",
                                      "a:80", "a.", "[a]", "-a",  "a-"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(url_host_is_valid(bad[i]));
}

static void expect_location(const char *location, const char *expected)
{
    Url url;
    url_parse("https://verifier:8881", &url);
    g_autofree char *resolved = url_resolve_location(&url, location);
    if (expected)
        assert_string_equal(resolved, expected);
    else
        assert_null(resolved);
    url_clear(&url);
}

static void test_location_stays_at_the_origin(void **state)
{
    (void)state;
    expect_location("/v3.0/agents/a/attestations/0",
                    "https://verifier:8881/v3.0/agents/a/attestations/0");
    expect_location("https://verifier:8881/v3.0/x", "https://verifier:8881/v3.0/x");
    expect_location("https://VERIFIER:8881/v3.0/x", "https://verifier:8881/v3.0/x");
    expect_location("https://verifier/v3.0/x", NULL);
    expect_location("https://other:8881/v3.0/x", NULL);
    expect_location("https://verifier:8881@other/x", NULL);
    expect_location("https://u@verifier:8881/x", NULL);
    expect_location("http://verifier:8881/v3.0/x", NULL);
    expect_location("//other/v3.0/x", NULL);
    expect_location("/\\other/x", NULL);
    expect_location("/v3.0/x\r\nA: b", NULL);
    expect_location("v3.0/x", NULL);
    expect_location("", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_verifier_urls),
        cmocka_unit_test(test_bad_verifier_urls),
        cmocka_unit_test(test_registrar_url_may_be_plain),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_location_stays_at_the_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
