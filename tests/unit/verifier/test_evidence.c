/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence on the wire (verifier-push-api §5.6, §5.8, §6.1; decision D3). */
#include "verifier/attestation/evidence_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"

#define PCR15 (UINT32_C(1) << 15)

/* PCR values of sha256, PCRs 15 and 16, in base64. */
static char *blob_text(void)
{
    g_autofree PcrValues *values = g_new0(PcrValues, 1);
    values->selection.count = 1;
    values->selection.bank[0].hash = TPM_ALG_SHA256;
    values->selection.bank[0].pcrs = PCR15 | PCR15 << 1;
    values->value[0][16][0] = 0xab;
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    return base64_encode(bytes_of_gbytes(blob));
}

/* Replaces @BLOB@ and reads; *pointer of the first error, or NULL. */
static bool read_text(const char *text, uint16_t hash, uint32_t pcrs, Evidence *out, char **pointer)
{
    g_autofree char *blob = blob_text();
    g_auto(GStrv) parts = g_strsplit(text, "@BLOB@", -1);
    g_autofree char *filled = g_strjoinv(blob, parts);
    g_autoptr(Json) attributes = json_parse(bytes_of_text(filled), NULL);
    assert_non_null(attributes);
    g_autoptr(GPtrArray) errors = api_errors_new();
    const AskedLogs none = {0};
    AskedEvidence asked = {hash, pcrs, &none};
    bool ok = evidence_read(attributes, &asked, out, errors);
    assert_int_equal(ok, errors->len == 0);
    *pointer = NULL;
    if (!ok)
        *pointer = g_strdup(((ApiError *)g_ptr_array_index(errors, 0))->pointer);
    return ok;
}

#define ITEM "\"evidence_class\": \"certification\", \"evidence_type\": \"tpm_quote\""
#define WITH(data) "{\"evidence_collected\": [{" ITEM ", \"data\": " data "}]}"

static void whole_evidence_is_taken(void **state)
{
    g_auto(Evidence) evidence;
    g_autofree char *pointer = NULL;
    assert_true(read_text(WITH("{\"message\": \"AQID\", \"signature\": \"0x0405\","
                               " \"subject_data\": \"@BLOB@\", \"extra\": 1}"),
                          TPM_ALG_SHA256, PCR15, &evidence, &pointer));
    assert_int_equal(g_bytes_get_size(evidence.message), 3);
    assert_int_equal(g_bytes_get_size(evidence.signature), 2);
    assert_int_equal(((const uint8_t *)g_bytes_get_data(evidence.signature, NULL))[1], 5);
}

static void wrong_evidence_is_refused_at_its_place(void **state)
{
    static const struct {
        const char *text, *pointer;
    } rows[] = {
        {"{}", "/data/attributes/evidence_collected"},
        {"{\"evidence_collected\": {}}", "/data/attributes/evidence_collected"},
        {"{\"evidence_collected\": []}", "/data/attributes/evidence_collected"},
        {"{\"evidence_collected\": [1]}", "/data/attributes/evidence_collected/0"},
        {"{\"evidence_collected\": [{}, {}]}", "/data/attributes/evidence_collected"},
        {"{\"evidence_collected\": [{" ITEM "}]}", "/data/attributes/evidence_collected/0/data"},
        {"{\"evidence_collected\": [{\"evidence_class\": \"log\","
         " \"evidence_type\": \"tpm_quote\", \"data\": {}}]}",
         "/data/attributes/evidence_collected/0"},
        {WITH("[]"), "/data/attributes/evidence_collected/0/data"},
        {WITH("{\"signature\": \"AQID\", \"subject_data\": \"@BLOB@\"}"),
         "/data/attributes/evidence_collected/0/data/message"},
        {WITH("{\"message\": \"AQI\", \"signature\": \"AQID\", \"subject_data\": \"@BLOB@\"}"),
         "/data/attributes/evidence_collected/0/data/message"},
        {WITH("{\"message\": \"AQID\", \"signature\": null, \"subject_data\": \"@BLOB@\"}"),
         "/data/attributes/evidence_collected/0/data/signature"},
        {WITH("{\"message\": \"AQID\", \"signature\": \"AQID\"}"),
         "/data/attributes/evidence_collected/0/data/subject_data"},
        {WITH("{\"message\": \"AQID\", \"signature\": \"AQID\", \"subject_data\": \"AQID\"}"),
         "/data/attributes/evidence_collected/0/data/subject_data"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Evidence) evidence;
        g_autofree char *pointer = NULL;
        assert_false(read_text(rows[i].text, TPM_ALG_SHA256, PCR15, &evidence, &pointer));
        assert_string_equal(pointer, rows[i].pointer);
        assert_null(evidence.message);
    }
}

static void requested_pcrs_must_be_there(void **state)
{
    static const char text[] = WITH("{\"message\": \"AQID\", \"signature\": \"AQID\","
                                    " \"subject_data\": \"@BLOB@\"}");
    static const struct {
        uint16_t hash;
        uint32_t pcrs;
    } rows[] = {{TPM_ALG_SHA256, 1}, {TPM_ALG_SHA256, PCR15 | 1}, {TPM_ALG_SHA384, PCR15}};
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Evidence) evidence;
        g_autofree char *pointer = NULL;
        assert_false(read_text(text, rows[i].hash, rows[i].pcrs, &evidence, &pointer));
        assert_string_equal(pointer, "/data/attributes/evidence_collected/0/data/subject_data");
    }
}

static void several_problems_come_together(void **state)
{
    g_autoptr(Json) attributes =
        json_parse(bytes_of_text(WITH("{\"message\": 1, \"subject_data\": \"AQID\"}")), NULL);
    g_autoptr(GPtrArray) errors = api_errors_new();
    g_auto(Evidence) evidence;
    const AskedLogs none = {0};
    AskedEvidence asked = {TPM_ALG_SHA256, PCR15, &none};
    assert_false(evidence_read(attributes, &asked, &evidence, errors));
    assert_int_equal(errors->len, 3);
}

static void evidence_is_shown_in_words(void **state)
{
    g_autofree char *text = blob_text();
    g_autoptr(GBytes) blob = base64_decode(text);
    const uint8_t junk[] = {1, 2, 3};
    g_autoptr(Json) data =
        quote_data_to_json(BYTES_OF_ARRAY(junk), BYTES_OF_ARRAY(junk), bytes_of_gbytes(blob));
    assert_string_equal(json_member_text(data, "message"), "AQID");
    Json *meta = json_member(data, "meta");
    Json *bank = json_member(json_member(meta, "pcrs"), "sha256");
    assert_int_equal(json_object_object_length(bank), 2);
    assert_true(g_str_has_prefix(json_member_text(bank, "16"), "0xab00"));
    /* What is no quote has no clock to show. */
    assert_null(json_member(meta, "clock_info"));
}

/* A list is shown as it came; where it is no UTF-8, or no text, the line has escapes. */
static void list_is_shown_line_by_line(void **state)
{
    static const struct {
        Bytes list;
        const char *shown;
    } rows[] = {
        {{NULL, 0}, NULL},
        {{(const uint8_t *)"10 aa ima-ng x /a\n10 bb ima-ng y /\xc3\xa9\t\n", 38},
         "10 aa ima-ng x /a\n10 bb ima-ng y /\xc3\xa9\t\n"},
        {{(const uint8_t *)"/a\n/\xff\n/b", 8}, "/a\n/\\xff\n/b"},
        {{(const uint8_t *)"/a\n\n/\0\n", 7}, "/a\n\n/\\x00\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const AskedLog log = {.received = 2, .certified = -1};
        g_autoptr(GBytes) content = bytes_copy(rows[i].list);
        g_autoptr(Json) data = log_data_to_json(LOG_IMA, &log, content);
        assert_true(g_strcmp0(json_member_text(data, "entries"), rows[i].shown) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_evidence_is_taken),
        cmocka_unit_test(list_is_shown_line_by_line),
        cmocka_unit_test(wrong_evidence_is_refused_at_its_place),
        cmocka_unit_test(requested_pcrs_must_be_there),
        cmocka_unit_test(several_problems_come_together),
        cmocka_unit_test(evidence_is_shown_in_words),
    };
    return cmocka_run_group_tests_name("verifier evidence", tests, NULL, NULL);
}
