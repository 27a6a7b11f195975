/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of attestations: what is asked for, what is stored in parts, what is kept (ima §9.2,
 * measured-boot §3.2; decisions D69, D81). */
#include "machine.h"

#include "verifier/attestation/logs.h"

#include <string.h>

/* --- negotiation --------------------------------------------------------------------------- */

typedef struct {
    Json *attributes;
    GPtrArray *errors;
    Capabilities *capabilities;
    NegotiatedLogs logs;
} Offer;

static void offer_clear(Offer *offer)
{
    capabilities_free(offer->capabilities);
    json_unref(offer->attributes);
    g_ptr_array_unref(offer->errors);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Offer, offer_clear)

#define QUOTE                                                                                      \
    "{\"evidence_class\": \"certification\", \"evidence_type\": \"tpm_quote\", \"capabilities\":"  \
    " {\"signature_schemes\": [\"rsassa\"], \"certification_keys\": [{\"key_class\":"              \
    " \"asymmetric\", \"key_algorithm\": \"rsa\", \"key_size\": 2048, \"server_identifier\":"      \
    " \"ak\"}]}}"
#define UEFI(capabilities)                                                                         \
    ", {\"evidence_class\": \"log\", \"evidence_type\": \"uefi_log\", \"capabilities\": "          \
    "{" capabilities "}}"
#define IMA(capabilities)                                                                          \
    ", {\"evidence_class\": \"log\", \"evidence_type\": \"ima_log\", \"capabilities\": "           \
    "{" capabilities "}}"
#define BINARY "\"formats\": [\"application/octet-stream\"]"
#define TEXT "\"formats\": [\"text/plain\"], \"supports_partial_access\": true"
#define BOOTED ", \"system_info\": {\"boot_time\": 1790000000}"

/* `items` after the quote; `rest` of the attributes. */
static bool negotiate_offer(Offer *offer, const char *items, const char *rest,
                            const LogTerms *terms)
{
    g_autofree char *text =
        g_strdup_printf("{\"evidence_supported\": [" QUOTE "%s]%s}", items, rest);
    offer->attributes = json_parse(bytes_of_text(text), NULL);
    offer->errors = api_errors_new();
    offer->capabilities = capabilities_read(offer->attributes, offer->errors);
    assert_non_null(offer->capabilities);
    return negotiate_logs(offer->capabilities, terms, &offer->logs, offer->errors);
}

static LogTerms terms_of(bool uefi, bool ima)
{
    return (LogTerms){.wants_uefi = uefi,
                      .wants_ima = ima,
                      .uefi_pcrs = 0xfbff,
                      .bank = TPM_ALG_SHA256,
                      .ima_rules = ima_push_rules_default};
}

static void only_what_is_wanted_is_asked_for(void **state)
{
    static const char both[] = UEFI(BINARY) IMA(TEXT ", \"entry_count\": 5");
    for (unsigned wanted = 0; wanted < 4; wanted++) {
        LogTerms terms = terms_of(wanted & 1, wanted & 2);
        g_auto(Offer) offer = {0};
        assert_true(negotiate_offer(&offer, both, BOOTED, &terms));
        assert_int_equal(offer.logs.uefi != NULL, (wanted & 1) != 0);
        assert_int_equal(offer.logs.ima != NULL, (wanted & 2) != 0);
        assert_int_equal(log_terms_pcrs(&terms),
                         (wanted & 1 ? 0xfbff : 0) | (wanted & 2 ? 0x400 : 0));
    }
}

static void what_does_not_do_is_named(void **state)
{
    static const struct {
        const char *items, *rest, *pointer;
    } rows[] = {
        {IMA(TEXT ", \"entry_count\": 5"), BOOTED, ""},
        {UEFI("\"formats\": [\"text/plain\"]") IMA(TEXT ", \"entry_count\": 5"), BOOTED, ""},
        {UEFI(BINARY ", \"supports_partial_access\": true, \"entry_count\": 1")
             IMA(TEXT ", \"entry_count\": 5"),
         BOOTED, "/1/capabilities/supports_partial_access"},
        {UEFI(BINARY), BOOTED, ""},
        {UEFI(BINARY) IMA("\"formats\": [\"text/plain\"], \"entry_count\": 5"), BOOTED, ""},
        {UEFI(BINARY) IMA(TEXT ", \"entry_count\": 0"), BOOTED,
         "/2/chosen_parameters/starting_offset"},
        {UEFI(BINARY) IMA("\"entry_count\": 5"), BOOTED, "/2/capabilities/formats"},
        {UEFI(BINARY) IMA("\"formats\": []"), BOOTED, "/2/capabilities/entry_count"},
    };
    LogTerms terms = terms_of(true, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Offer) offer = {0};
        assert_false(negotiate_offer(&offer, rows[i].items, rows[i].rest, &terms));
        const ApiError *error = g_ptr_array_index(offer.errors, 0);
        g_autofree char *pointer =
            g_strconcat("/data/attributes/evidence_supported", rows[i].pointer, NULL);
        assert_string_equal(error->pointer, pointer);
        assert_int_equal(error->status, 422);
    }
    g_auto(Offer) offer = {0};
    assert_false(
        negotiate_offer(&offer, UEFI(BINARY) IMA(TEXT ", \"entry_count\": 5"), "", &terms));
    const ApiError *error = g_ptr_array_index(offer.errors, 0);
    assert_string_equal(error->pointer, "/data/attributes/system_info/boot_time");
}

static void what_was_asked_for_is_read_back(void **state)
{
    LogTerms terms = terms_of(true, true);
    g_auto(Offer) offer = {0};
    assert_true(
        negotiate_offer(&offer, UEFI(BINARY) IMA(TEXT ", \"entry_count\": 5"), BOOTED, &terms));
    offer.logs.ima_offset = 3;
    g_auto(AskedLogs) asked = {0};
    asked_logs_of(&offer.logs, &asked);
    asked.log[LOG_IMA].received = 4;
    g_autofree char *text = asked_logs_store(&asked);
    g_auto(AskedLogs) read = {0};
    asked_logs_read(text, &read);
    assert_int_equal(asked_logs_count(&read), 2);
    assert_int_equal(read.log[LOG_IMA].offset, 3);
    assert_int_equal(read.log[LOG_IMA].announced, 5);
    assert_int_equal(read.log[LOG_IMA].received, 4);
    assert_int_equal(read.log[LOG_UEFI].received, -1);
    g_autoptr(Json) parameters = asked_log_parameters(LOG_IMA, &read.log[LOG_IMA]);
    assert_string_equal(json_member_text(parameters, "format"), "text/plain");

    g_auto(AskedLogs) none = {0};
    asked_logs_read(NULL, &none);
    assert_int_equal(asked_logs_count(&none), 0);
    assert_null(asked_logs_store(&none));
    asked_logs_read("{\"ima_log\": 7}", &none);
    assert_int_equal(asked_logs_count(&none), 0);
}

/* --- the logs themselves ------------------------------------------------------------------- */

typedef struct {
    gint64 index;
    Bytes content;
    GBytes *found;
    bool drop, prune;
} Work;

static bool store_work(Connection *connection, gpointer data, GError **error)
{
    const Work *work = data;
    return evidence_log_store(connection, AGENT, work->index, LOG_IMA, work->content, error) &&
           (!work->drop || evidence_logs_drop(connection, AGENT, work->index, error)) &&
           (!work->prune || evidence_logs_prune(connection, AGENT, error));
}

static bool load_work(Connection *connection, gpointer data, GError **error)
{
    Work *work = data;
    return evidence_log_load(connection, AGENT, work->index, LOG_IMA, &work->found, error);
}

static void store(Machine *machine, Work work)
{
    g_autoptr(GError) error = NULL;
    if (!database_write(machine->verifier.database, store_work, &work, &error))
        fail_msg("%s", error->message);
}

static GBytes *load(Machine *machine, gint64 index)
{
    Work work = {.index = index};
    g_autoptr(GError) error = NULL;
    if (!database_read(machine->verifier.database, load_work, &work, &error))
        fail_msg("%s", error->message);
    return work.found;
}

static void with_attestations(Machine *machine, gint64 count)
{
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, "{}", now);
    for (gint64 index = 0; index < count; index++) {
        StoredEvidence evidence = {index, 1, false, now, 1, now + 120 * SECOND};
        machine_store_evidence(machine, AGENT, &evidence);
    }
}

static void a_log_of_any_size_comes_back(void **state)
{
    Machine *machine = *state;
    const size_t sizes[] = {0, 1, 256 * 1024, 256 * 1024 + 1, 1000000};
    with_attestations(machine, G_N_ELEMENTS(sizes));
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree uint8_t *content = g_malloc(sizes[i] + 1);
        for (size_t at = 0; at < sizes[i]; at++)
            content[at] = (uint8_t)(at * 7 + i);
        store(machine, (Work){.index = i, .content = bytes_of(content, sizes[i])});
        g_autoptr(GBytes) found = load(machine, i);
        assert_non_null(found);
        assert_true(bytes_equal(bytes_of_gbytes(found), bytes_of(content, sizes[i])));
    }
    assert_null(load(machine, 77));
}

static void of_failures_the_newest_are_kept(void **state)
{
    Machine *machine = *state;
    with_attestations(machine, LOGS_KEPT + 3);
    for (gint64 index = 0; index < LOGS_KEPT + 2; index++)
        store(machine, (Work){.index = index, .content = bytes_of_text("10 x\n"), .prune = true});
    for (gint64 index = 0; index < LOGS_KEPT + 2; index++) {
        g_autoptr(GBytes) found = load(machine, index);
        assert_int_equal(found != NULL, index >= 2);
    }
    store(machine,
          (Work){.index = LOGS_KEPT + 2, .content = bytes_of_text("10 x\n"), .drop = true});
    assert_null(load(machine, LOGS_KEPT + 2));
    /* They go with their attestation, and with the agent. */
    machine_run(machine, "DELETE FROM attestations WHERE attestation_index = 5");
    assert_null(load(machine, 5));
    machine_run(machine, "DELETE FROM attestations");
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM evidence_logs"), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_wanted_is_asked_for),
        cmocka_unit_test(what_does_not_do_is_named),
        cmocka_unit_test(what_was_asked_for_is_read_back),
        cmocka_unit_test_setup_teardown(a_log_of_any_size_comes_back, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(of_failures_the_newest_are_kept, machine_setup,
                                        machine_teardown),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier logs", tests, NULL, NULL);
    engine_stop();
    return failed;
}
