/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading, members, and the two printed forms. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static Json *parse(const char *text)
{
    return json_parse(bytes_of_text(text), NULL);
}

static void test_accepted(void **state)
{
    static const char *const texts[] = {"{}",   " [1, 2]\r\n", "0",      "12",         "-1.5e3",
                                        "true", "\"a\"",       "[null]", "{\"a\": {}}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Json) value = json_parse(bytes_of_text(texts[i]), &error);
        assert_non_null(value);
        assert_null(error);
    }
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{} x",
        "{}{}",
        "'a'",
        "{'a':1}",
        "01",
        "tru",
        "NaN",
        "[Infinity]",
        "[1e999]",
        "{\"a\":[-1E999]}",
        "[true,1.5e999]",
        "[-Infinity]",
        "[NaN]",
        "[nan]",
        "/**/1",
        "\"a",
        "\"\x80\"",
        "{\"a\"}",
        "[1 2]",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "{\"\xc0\x80\": 1}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Json) value = json_parse(bytes_of_text(texts[i]), &error);
        if (value)
            fail_msg("accepted: %s", texts[i]);
        assert_true(g_error_matches(error, JSON_ERROR, JSON_ERROR_SYNTAX));
    }
    assert_null(json_parse(bytes_of("{}\0{}", 5), NULL));
    assert_null(json_parse(bytes_of("[\"12345\0\"]", 10), NULL));
    assert_null(json_parse(bytes_of("{}\0", 3), NULL));
    assert_null(json_parse(BYTES_EMPTY, NULL));
}

/* What a text costs is known before it is paid; what stands inside texts is not counted. */
static void test_bounded(void **state)
{
    static const struct {
        const char *text;
        size_t values;
    } rows[] = {
        {"7", 1},
        {"\"[,{'\\\",[\"", 1},
        {"[\"a\\\\\", \"\\\\\\\"\", 3]", 4},
        {"{\"a,b\": [1, {}]}", 5},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Json) value =
            json_parse_bounded(bytes_of_text(rows[i].text), rows[i].values, NULL);
        if (!value)
            fail_msg("refused: %s", rows[i].text);
        assert_null(json_parse_bounded(bytes_of_text(rows[i].text), rows[i].values - 1, &error));
        assert_true(g_error_matches(error, JSON_ERROR, JSON_ERROR_SYNTAX));
    }
    /* Not the end of a text, and not the end of the search for it. */
    assert_null(json_parse_bounded(bytes_of_text("\"[[[[[\\"), 1, NULL));
    assert_null(json_parse_bounded(bytes_of_text("\""), 1, NULL));
}

static Json *nested(size_t depth)
{
    char text[2 * (JSON_MAX_DEPTH + 1) + 1] = {0};
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return parse(text);
}

static void test_depth(void **state)
{
    g_autoptr(Json) deepest = nested(JSON_MAX_DEPTH);
    assert_non_null(deepest);
    assert_null(nested(JSON_MAX_DEPTH + 1));
}

static void test_members(void **state)
{
    g_autoptr(Json) object =
        parse("{\"t\": \"x\", \"n\": 7, \"m\": \"8\", \"b\": true, \"z\": null,"
              " \"l\": [\"a\", \"b\"], \"k\": [1], \"e\": \"a\\u0000b\","
              " \"h\": 9223372036854775808, \"d\": 1, \"d\": 2}");
    gint64 number = -1;
    bool truth = false;
    assert_string_equal(json_member_text(object, "t"), "x");
    assert_null(json_member_text(object, "n"));
    assert_null(json_member_text(object, "e"));
    assert_null(json_member(object, "z"));
    assert_null(json_member(object, "absent"));
    assert_null(json_member(json_member(object, "l"), "t"));
    assert_null(json_member(NULL, "t"));
    assert_null(json_member_of_type(object, "t", json_type_int));
    assert_true(json_member_int(object, "n", false, &number) && number == 7);
    assert_false(json_member_int(object, "m", false, &number));
    assert_true(json_member_int(object, "m", true, &number) && number == 8);
    assert_false(json_member_int(object, "t", true, &number));
    assert_false(json_member_int(object, "h", true, &number));
    assert_true(json_member_int(object, "d", false, &number) && number == 2);
    assert_true(json_member_bool(object, "b", &truth) && truth);
    assert_false(json_member_bool(object, "n", &truth));
    g_autofree const char **texts = json_member_texts(object, "l");
    assert_string_equal(texts[1], "b");
    assert_null(texts[2]);
    assert_null(json_member_texts(object, "k"));
    assert_null(json_member_texts(object, "t"));
}

static void test_printed_forms(void **state)
{
    static const char *const words[] = {"a", "b", NULL};
    g_autoptr(Json) object = json_object_new_object();
    json_add_text(object, "t", "/\xc3\xa9\xf0\x9f\x98\x80\"\n");
    json_add_text(object, "z", NULL);
    json_add_int(object, "n", -3);
    json_add_bool(object, "b", false);
    json_add_null(object, "o");
    json_add_base64(object, "d", bytes_of("\xff", 1));
    json_add(object, "l", json_new_texts(words));
    g_autofree char *plain = json_to_text(object);
    g_autofree char *python = json_to_python_text(object);
    assert_string_equal(plain, "{\"t\":\"/\xc3\xa9\xf0\x9f\x98\x80\\\"\\n\",\"z\":null,\"n\":-3,"
                               "\"b\":false,\"o\":null,\"d\":\"/w==\",\"l\":[\"a\",\"b\"]}");
    assert_string_equal(python,
                        "{\"t\": \"/\\u00e9\\ud83d\\ude00\\\"\\n\", \"z\": null, \"n\": -3, "
                        "\"b\": false, \"o\": null, \"d\": \"/w==\", \"l\": [\"a\", \"b\"]}");
}

/* --- a large string that is read where it stands ------------------------------------------- */

static Json *parse_owned(Bytes text, size_t large, GError **error)
{
    return json_parse_owned(g_memdup2(text.data, text.size), text.size, G_MAXSIZE, large, error);
}

/* As the copying reader has it, whatever is in it. */
static void test_large_string_is_read_as_any_other(void **state)
{
    static const char *const texts[] = {
        "\"plain\"",
        "[\"a\\nb\\\"c\\\\d\\/e\\b\\f\\r\\t\"]",
        "{\"l\": \"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00 \xf0\x9f\x98\x80\", \"m\": [1, \"x\"]}",
        "{\"l\": \"a NUL \\u0000 within it\"}",
        "{\"l\": \"half a pair \\ud83d and on\"}",
        "{\"l\": \"the other half \\ude00\"}",
        "{\"l\": \"two first halves \\ud83d\\ud83d\"}",
        "{\"l\": \"a half at the end \\ud83d\"}",
        "{\"l\": \"a pair \\ud836\\ude00 of its own\"}",
        "{\"l\": \"a control character \t of 16 bytes\"}",
        "{\"l\": \"\x1f\"}",
        "{\"a long name of a member\": \"v\"}",
        "{\"a long name of a member\" \n: \"v\"}",
        "{\"l\": \"the first of two of a name\", \"l\": 1}",
        "{\"l\": 1, \"l\": \"the last of two of a name\" \n }",
        "[[[{\"l\":[\"deep in other values\"]}]],\"\"]",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Json) copied = parse(texts[i]);
        g_autoptr(Json) owned = parse_owned(bytes_of_text(texts[i]), 1, NULL);
        assert_non_null(owned);
        g_autofree char *plain = json_to_text(copied), *python = json_to_python_text(copied);
        g_autofree char *same = json_to_text(owned), *again = json_to_python_text(owned);
        assert_string_equal(same, plain);
        assert_string_equal(again, python);
        const char *text = json_member_text(copied, "l");
        const char *other = json_member_text(owned, "l");
        assert_true(g_strcmp0(text, other) == 0);
        assert_int_equal(json_is_truthy(copied), json_is_truthy(owned));
    }
}

/* And refused with the same words and place. */
static void test_large_string_is_refused_as_any_other(void **state)
{
    static const char *const texts[] = {
        "",
        "\"",
        "\"no end to it",
        "\"no end to it\\\"",
        "{\"l\": \"an unknown \\x escape\"}",
        "{\"l\": \"a short \\u00e\"}",
        "{\"l\": \"an end in an escape \\\"}",
        "{\"l\": \"nothing after it\"",
        "{\"l\": \"another after it\" 1}",
        "{\"l\": \"a comma too many\",}",
        "{\"l\": \"the wrong bracket\"]",
        "[\"a mistake later\", tru]",
        "[tru, \"a mistake earlier\"]",
        "[1e999, \"a number of no size\"]",
        "\"two values of a text\" \"b\"",
        "'\"single quotes\"'",
        "{\"l\": \"no UTF-8: \xff\"}",
        "{\"l\": \"an overlong form: \xc0\xaf\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"33 levels of them, and this is still "
        "longer\"]]]]]]]]]]]]"
        "]]]]]]]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL, same = NULL;
        assert_null(json_parse(bytes_of_text(texts[i]), &error));
        assert_null(parse_owned(bytes_of_text(texts[i]), 1, &same));
        assert_string_equal(same->message, error->message);
    }
    /* A NUL is no part of a text, wherever it stands. */
    assert_null(parse_owned(bytes_of("[\"12345\0\"]", 10), 1, NULL));
    assert_null(parse_owned(bytes_of("[\"123456\"]\0", 11), 1, NULL));
    assert_null(parse_owned(bytes_of("\0[\"123456\"]", 11), 1, NULL));
    /* The bound holds, too. */
    uint8_t *text = (uint8_t *)g_strdup("[\"12345678\",1,2]");
    assert_null(json_parse_owned(text, strlen((char *)text), 3, 1, NULL));
}

static bool within(const void *pointer, const uint8_t *memory, size_t size)
{
    return (const uint8_t *)pointer >= memory && (const uint8_t *)pointer < memory + size;
}

/* It is not copied, and lives as long as it is wanted. */
static void test_large_string_keeps_its_memory(void **state)
{
    static const char text[] = "{\"l\": \"line\\nline\\nline\\nline\\n\", \"s\": \"short\"}";
    size_t size = sizeof text - 1;
    uint8_t *memory = g_memdup2(text, size);
    Json *object = json_parse_owned(memory, size, G_MAXSIZE, 16, NULL);
    assert_true(within(json_member_text(object, "l"), memory, size));
    assert_false(within(json_member_text(object, "s"), memory, size));
    g_autoptr(GBytes) lines = json_string_bytes(json_member(object, "l"));
    g_autoptr(GBytes) word = json_string_bytes(json_member(object, "s"));
    assert_null(json_string_bytes(object));
    assert_null(json_string_bytes(NULL));
    json_unref(object);
    assert_true(bytes_equal(bytes_of_gbytes(lines), bytes_of_text("line\nline\nline\nline\n")));
    assert_ptr_equal(g_bytes_get_data(lines, NULL), memory + 7);
    assert_true(bytes_equal(bytes_of_gbytes(word), bytes_of_text("short")));
    /* A string that is smaller, or not most of its text, is copied: it would keep more than it is
     * worth. */
    g_autoptr(Json) smaller = parse_owned(bytes_of_text(text), 25, NULL);
    assert_string_equal(json_member_text(smaller, "l"), "line\nline\nline\nline\n");
    g_autoptr(Json) equals = parse_owned(bytes_of_text("[\"12345678\",\"12345678\"]"), 1, NULL);
    assert_null(json_object_get_userdata(json_member(smaller, "l")));
    assert_null(json_object_get_userdata(json_object_array_get_idx(equals, 0)));
}

static void test_large_string_is_wiped(void **state)
{
    g_autoptr(Json) object = parse_owned(bytes_of_text("{\"l\": \"a long secret\"}"), 1, NULL);
    const char *text = json_member_text(object, "l");
    assert_string_equal(text, "a long secret");
    json_wipe_member(object, "l");
    assert_true(bytes_are_zero(bytes_of(text, strlen("a long secret"))));
}

static void a_sentence_is_text_whatever_it_quotes(void **state)
{
    g_autoptr(Json) object = json_object_new_object();
    json_add_sentence(object, "good", "caf\xc3\xa9\n");
    json_add_sentence(object, "cut", "caf\xc3");
    assert_string_equal(json_member_text(object, "good"), "caf\xc3\xa9\n");
    assert_string_equal(json_member_text(object, "cut"), "caf\\xc3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_is_text_whatever_it_quotes),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_printed_forms),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_large_string_is_read_as_any_other),
        cmocka_unit_test(test_large_string_is_refused_as_any_other),
        cmocka_unit_test(test_large_string_keeps_its_memory),
        cmocka_unit_test(test_large_string_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
