/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appraisal of IMA lists: entries a second from text to verdict, on one thread, beside the floor of
 * only hashing the same entries; signatures with and without the table of verified ones; what a
 * policy takes; lists that are made to harm.
 */
#include "evidence/ima/push.h"
#include "ima_list.h"
#include "measure.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The best of several runs: others use the cores too. */
enum { ROUNDS = 5 };

#define TEN_PATTERNS                                                                               \
    "\"/tmp/.*\",\"/var/log/.*\",\"/run/user/[0-9]+/.*\",\"/home/[^/]+/.cache/.*\",\"/proc/.*\","  \
    "\"/sys/.*\",\"/memfd:.*\",\"/opt/(a|b|c)/.*\",\"/srv/.*[.]tmp\",\"/root/.*\""

typedef struct {
    double appraisal, floor; /* CPU seconds, best */
    ImaSignatureCacheUse cache;
} Figures;

static RuntimePolicy *parse_policy(const GString *text)
{
    g_autoptr(GError) error = NULL;
    RuntimePolicy *policy =
        runtime_policy_parse(bytes_of(text->str, text->len), &runtime_policy_rules_default, &error);
    if (!policy)
        g_error("%s", error->message);
    return policy;
}

static ImaInput input_of(const List *list, const RuntimePolicy *policy, ImaSignatureCache *cache)
{
    return (ImaInput){.list = bytes_of(list->text->str, list->text->len),
                      .policy = policy,
                      .bank = TPM_ALG_SHA256,
                      .quoted = BYTES_OF_ARRAY(list->pcr),
                      .rules = ima_rules_default,
                      .cache = cache};
}

static double appraise_once(const ImaInput *input)
{
    g_autoptr(ImaState) state = ima_state_new();
    g_autoptr(Verdict) verdict = verdict_new();
    double start = thread_cpu_seconds();
    bool passed = ima_appraise(input, state, verdict, NULL);
    double seconds = thread_cpu_seconds() - start;
    if (!passed) {
        g_autofree char *summary = verdict_summary(verdict);
        g_error("the list should pass: %s", summary);
    }
    return seconds;
}

/* MIN() would measure twice. */
static void keep_least(double *best, double seconds)
{
    if (seconds < *best)
        *best = seconds;
}

static Figures measure_list(const List *list, const RuntimePolicy *policy, ImaSignatureCache *cache)
{
    Figures best = {G_MAXDOUBLE, G_MAXDOUBLE, {0}};
    ImaInput input = input_of(list, policy, cache);
    for (int i = 0; i < ROUNDS; i++) {
        keep_least(&best.appraisal, appraise_once(&input));
        keep_least(&best.floor, list_floor_seconds(list));
    }
    if (cache)
        best.cache = ima_signature_cache_use(cache);
    return best;
}

static void print_row(const char *what, const List *list, const Figures *figures)
{
    printf("%-44s %9.0f entries/s  floor %9.0f  %.2f x floor\n", what,
           (double)list->entries / figures->appraisal, (double)list->entries / figures->floor,
           figures->appraisal / figures->floor);
}

static void bench_sizes(void)
{
    static const size_t entries[] = {1000, 10000, 100000};
    static const size_t digests[] = {1000, 10000, 100000, 1000000};
    ListKey none = {0};
    for (size_t d = 0; d < G_N_ELEMENTS(digests); d++) {
        g_autoptr(GString) text = policy_text_new(digests[d], digests[d], "", NULL);
        double start = thread_cpu_seconds();
        g_autoptr(RuntimePolicy) policy = parse_policy(text);
        printf("policy of %zu digests: %.1f MiB of text, compiled in %.3f s CPU, %.2f MiB\n",
               digests[d], (double)text->len / 1048576, thread_cpu_seconds() - start,
               (double)runtime_policy_memory(policy) / 1048576);
        for (size_t e = 0; e < G_N_ELEMENTS(entries); e++) {
            if (entries[e] > digests[d])
                continue;
            g_autoptr(List) list = list_new(entries[e], &none, LIST_PLAIN);
            Figures figures = measure_list(list, policy, NULL);
            g_autofree char *what = g_strdup_printf("  ima-ng, %zu entries", entries[e]);
            print_row(what, list, &figures);
        }
    }
}

/* The list of evidence, from the body that has arrived to the verdict. */
static double appraise_body(uint8_t *body, size_t size, const List *list,
                            const RuntimePolicy *policy)
{
    double start = thread_cpu_seconds();
    g_autoptr(Json) parsed = json_parse_owned(body, size, 100, 1, NULL);
    g_autoptr(GBytes) entries = json_string_bytes(json_member(parsed, "entries"));
    ImaEntriesCheck check = {.entry_count = list->entries, .entries = bytes_of_gbytes(entries)};
    g_assert(ima_push_check_entries(&check) == IMA_ENTRIES_FIT);
    ImaInput input = input_of(list, policy, NULL);
    input.list = check.entries;
    double before = thread_cpu_seconds() - start;
    return before + appraise_once(&input);
}

/* As an agent sends it (ima §9.3): the text is checked for UTF-8 and unescaped. */
static void bench_json(void)
{
    ListKey none = {0};
    g_autoptr(List) list = list_new(100000, &none, LIST_PLAIN);
    g_autoptr(GString) text = policy_text_new(100000, 100000, "", NULL);
    g_autoptr(RuntimePolicy) policy = parse_policy(text);
    g_autoptr(Json) data = json_object_new_object();
    json_add_text(data, "entries", list->text->str);
    g_autofree char *body = json_to_text(data);
    size_t size = strlen(body);
    Figures best = {G_MAXDOUBLE, G_MAXDOUBLE, {0}};
    guint64 more = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *arrived = g_memdup2(body, size);
        ProcessUse before = {0};
        process_use(getpid(), &before);
        own_peak_bytes();
        keep_least(&best.appraisal, appraise_body(arrived, size, list, policy));
        guint64 peak = own_peak_bytes();
        more = MAX(more, peak - MIN(peak, before.resident_bytes));
        keep_least(&best.floor, list_floor_seconds(list));
    }
    print_row("ima-ng, 100000 entries, from the JSON body", list, &best);
    printf("  a body of %.1f MiB, and %.1f MiB beside it\n", (double)size / 1048576,
           (double)more / 1048576);
}

static void bench_excludes(void)
{
    ListKey none = {0};
    g_autoptr(List) list = list_new(100000, &none, LIST_PLAIN);
    g_autoptr(GString) listed = policy_text_new(100000, 100000, TEN_PATTERNS, NULL);
    g_autoptr(RuntimePolicy) policy = parse_policy(listed);
    Figures figures = measure_list(list, policy, NULL);
    print_row("ima-ng, 10 patterns, all listed", list, &figures);
    g_autoptr(GString) excluded =
        policy_text_new(1000, 1000, TEN_PATTERNS ",\"/usr/lib/.*[.]so[.]1\"", NULL);
    g_autoptr(RuntimePolicy) second = parse_policy(excluded);
    figures = measure_list(list, second, NULL);
    print_row("ima-ng, 11 patterns, 99 % excluded", list, &figures);
}

static void bench_signatures(ListKind kind, const char *name)
{
    enum { SIGNED = 10000, MACHINES = 10 };
    ListKey key = list_key_new(kind);
    g_autoptr(List) list = list_new(SIGNED, &key, kind);
    g_autoptr(GString) text = policy_text_new(1, 1, "", &key);
    g_autoptr(RuntimePolicy) policy = parse_policy(text);
    Figures figures = measure_list(list, policy, NULL);
    g_autofree char *without = g_strdup_printf("ima-sig, %s, every signature verified", name);
    print_row(without, list, &figures);
    g_autoptr(ImaSignatureCache) cache = ima_signature_cache_new(4 * SIGNED);
    ImaInput input = input_of(list, policy, cache);
    double seconds = 0;
    for (int i = 0; i < MACHINES; i++)
        seconds += appraise_once(&input);
    ImaSignatureCacheUse use = ima_signature_cache_use(cache);
    printf("  %d equal machines with the table: %.0f entries/s, hit rate %.1f %%, %.2f MiB\n",
           MACHINES, SIGNED * MACHINES / seconds,
           100.0 * (double)use.hits / (double)(use.hits + use.misses),
           (double)use.memory / 1048576);
    figures = measure_list(list, policy, cache);
    g_autofree char *known = g_strdup_printf("ima-sig, %s, all seen before", name);
    print_row(known, list, &figures);
    list_key_clear(&key);
}

/* A cycle in which nothing was measured anew: stored state to stored state. */
static void bench_steady(void)
{
    enum { CYCLES = 2000 };
    ListKey none = {0};
    g_autoptr(List) list = list_new(10000, &none, LIST_PLAIN);
    g_autoptr(GString) text = policy_text_new(10000, 10000, "", NULL);
    g_autoptr(RuntimePolicy) policy = parse_policy(text);
    ImaInput input = input_of(list, policy, NULL);
    ImaRound round = {.boot_time = 1, .policy_checksum = runtime_policy_checksum(policy)};
    g_autoptr(ImaPushState) state = ima_push_state_new();
    g_autoptr(Verdict) verdict = verdict_new();
    ima_push_appraise(&input, &round, state, verdict);
    g_autofree char *stored = ima_push_state_to_text(state);
    input.list = BYTES_EMPTY;
    round.offset = state->list->entries;
    double start = thread_cpu_seconds();
    for (int i = 0; i < CYCLES; i++) {
        g_autoptr(ImaPushState) again = ima_push_state_from_text(bytes_of_text(stored), NULL);
        ima_push_appraise(&input, &round, again, verdict);
        g_free(stored);
        stored = ima_push_state_to_text(again);
    }
    printf("a cycle with nothing new: %.1f us CPU, state of %zu bytes\n",
           (thread_cpu_seconds() - start) * 1e6 / CYCLES, strlen(stored));
    g_assert(verdict->evaluation == EVALUATION_PASS);
}

static void measure_hostile(const char *what, Bytes list, const RuntimePolicy *policy)
{
    static const uint8_t quoted[32] = {1};
    ImaInput input = {.list = list,
                      .policy = policy,
                      .bank = TPM_ALG_SHA256,
                      .quoted = BYTES_OF_ARRAY(quoted),
                      .rules = ima_rules_default};
    ProcessUse before = {0}, after = {0};
    g_autoptr(Verdict) verdict = verdict_new();
    process_use(getpid(), &before);
    double start = thread_cpu_seconds();
    ima_appraise(&input, NULL, verdict, NULL);
    double seconds = thread_cpu_seconds() - start;
    process_use(getpid(), &after);
    printf("%-44s %.2f s CPU, %.1f MiB more, %u failures\n", what, seconds,
           ((double)after.resident_bytes - (double)before.resident_bytes) / 1048576,
           verdict->failure_count);
}

static void bench_hostile(void)
{
    enum { SIZE = 100 * 1024 * 1024, SHORT_LINES = 10000000 };
    g_autoptr(GString) text = policy_text_new(1000, 1000, TEN_PATTERNS, NULL);
    g_autoptr(RuntimePolicy) policy = parse_policy(text);
    g_autofree char *memory = g_malloc(SIZE);
    for (size_t i = 0; i < SHORT_LINES; i++)
        memcpy(memory + 2 * i, "a\n", 2);
    measure_hostile("ten million lines of one byte", bytes_of(memory, 2 * SHORT_LINES), policy);
    memset(memory, 'a', SIZE);
    measure_hostile("one line of 100 MiB", bytes_of(memory, SIZE), policy);
    ListKey none = {0};
    g_autoptr(List) list = list_new(1000, &none, LIST_PLAIN);
    size_t size = 0;
    while (size + list->text->len <= SIZE) {
        memcpy(memory + size, list->text->str, list->text->len);
        size += list->text->len;
    }
    measure_hostile("100 MiB of good entries, other quote", bytes_of(memory, size), policy);
    g_autoptr(GString) small = policy_text_new(1, 1, TEN_PATTERNS, NULL);
    g_autoptr(RuntimePolicy) strict = parse_policy(small);
    measure_hostile("100 MiB of entries that are not listed", bytes_of(memory, size), strict);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("IMA lists, from text to verdict, one thread, best of %d\n", ROUNDS);
    bench_sizes();
    bench_json();
    bench_excludes();
    bench_signatures(LIST_SIGNED_RSA, "RSA-2048");
    bench_signatures(LIST_SIGNED_P256, "P-256");
    bench_steady();
    bench_hostile();
    return 0;
}
