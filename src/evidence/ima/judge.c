/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/judge.h"

#include "base/encoding.h"
#include "evidence/ima/algorithm.h"
#include "evidence/ima/report.h"
#include "evidence/ima/signature.h"

#include <string.h>

#define EVENT_PARSER "ima.parser.entry"
#define EVENT_PCR "ima.validation.ima_pcr"
#define EVENT_HASH "ima.validation.ima_hash"
#define EVENT_VIOLATION "ima.validation.tomtou"
#define EVENT_NOT_LISTED "ima.validation.ima-ng.not_in_allowlist"
#define EVENT_OTHER_DIGEST "ima.validation.ima-ng.runtime_policy_hash"
#define EVENT_SIGNATURE "ima.validator.ima-sig.invalid_signature"
#define EVENT_KEY "ima.invalid_key"
#define EVENT_BUFFER "ima.validation.ima-buf.invalid_data"
#define EVENT_DEVICE_MAPPER "ima.validation.dm."

#define BOOT_AGGREGATE "boot_aggregate"

static const char *const map_names[RUNTIME_POLICY_MAPS] = {
    [RUNTIME_POLICY_DIGESTS] = "digests",
    [RUNTIME_POLICY_KEYRINGS] = "keyrings",
    [RUNTIME_POLICY_IMA_BUF] = "ima-buf",
};

static ImaReport report_of(const ImaJudge *judge, const ImaEntry *entry, const char *event_id,
                           const char *rule)
{
    return (ImaReport){.event_id = event_id, .rule = rule, .entry = judge->entry, .content = entry};
}

/* --- reference values ----------------------------------------------------------------------- */

static bool has_name(const ImaEntry *entry, const char *name)
{
    return bytes_equal(entry->name, bytes_of_text(name));
}

/* The event log's aggregates stand beside the policy's own (ima §5.5). */
static bool counts_aggregates(const ImaJudge *judge, RuntimePolicyMap map, const ImaEntry *entry)
{
    return judge->boot_aggregates && judge->boot_aggregates->len > 0 &&
           map == RUNTIME_POLICY_DIGESTS && has_name(entry, BOOT_AGGREGATE);
}

static RuntimePolicyMatch match(const ImaJudge *judge, RuntimePolicyMap map, const ImaEntry *entry)
{
    RuntimePolicyMatch found = runtime_policy_match(judge->policy, map, entry->name, entry->digest);
    if (found == RUNTIME_POLICY_MATCH || !counts_aggregates(judge, map, entry))
        return found;
    for (guint i = 0; i < judge->boot_aggregates->len; i++)
        if (bytes_equal(bytes_of_gbytes(g_ptr_array_index(judge->boot_aggregates, i)),
                        entry->digest))
            return RUNTIME_POLICY_MATCH;
    return RUNTIME_POLICY_OTHER_DIGEST;
}

static bool is_excluded(ImaJudge *judge, const ImaEntry *entry)
{
    return runtime_policy_is_excluded(judge->policy, judge->scratch, entry->name);
}

/* The digests that a failure shows as expected. */
static char **expected_digests(const ImaJudge *judge, RuntimePolicyMap map, const ImaEntry *entry)
{
    g_auto(GStrv) listed =
        runtime_policy_expected(judge->policy, map, entry->name, IMA_REPORT_MAX_EXPECTED);
    g_autoptr(GStrvBuilder) all = g_strv_builder_new();
    g_strv_builder_addv(all, (const char **)listed);
    for (guint i = 0; counts_aggregates(judge, map, entry) && i < judge->boot_aggregates->len &&
                      i < IMA_REPORT_MAX_EXPECTED;
         i++) {
        g_autofree char *hex =
            hex_encode(bytes_of_gbytes(g_ptr_array_index(judge->boot_aggregates, i)));
        g_strv_builder_add(all, hex);
    }
    return g_strv_builder_end(all);
}

/* `also` ends the message's sentence. */
static void fail_match(ImaJudge *judge, RuntimePolicyMap map, const ImaEntry *entry,
                       RuntimePolicyMatch found, const char *also)
{
    bool listed = found == RUNTIME_POLICY_OTHER_DIGEST;
    ImaReport report =
        report_of(judge, entry, listed ? EVENT_OTHER_DIGEST : EVENT_NOT_LISTED, map_names[map]);
    if (!verdict_keeps_more(judge->verdict)) {
        ima_report(judge->verdict, &report, "counted");
        return;
    }
    g_autofree char *name = ima_report_text(entry->name);
    g_auto(GStrv) expected = expected_digests(judge, map, entry);
    g_autofree char *got =
        hex_encode(bytes_of(entry->digest.data, MIN(entry->digest.size, (size_t)TPM_MAX_DIGEST)));
    report.expected = expected;
    report.got = got;
    if (listed)
        ima_report(judge->verdict, &report,
                   "the digest of %s is not one that the policy's %s list%s", name, map_names[map],
                   also);
    else
        ima_report(judge->verdict, &report, "%s is not listed in the policy's %s%s", name,
                   map_names[map], also);
}

/* ima §5.2. The map first: it is the cheaper question, and either answer lets the entry pass. */
static bool check_listed(ImaJudge *judge, RuntimePolicyMap map, bool excludes,
                         const ImaEntry *entry)
{
    if (!judge->policy)
        return true;
    RuntimePolicyMatch found = match(judge, map, entry);
    if (found == RUNTIME_POLICY_MATCH || (excludes && is_excluded(judge, entry)))
        return true;
    fail_match(judge, map, entry, found, "");
    return false;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool is_signed(ImaJudge *judge, const ImaEntry *entry)
{
    ImaSignature signature = {.field = entry->signature,
                              .algorithm = entry->algorithm,
                              .digest_type = entry->digest_type,
                              .digest = entry->digest};
    return judge->rings && entry->signature.size > 0 &&
           ima_signature_verify(&signature, judge->rings, judge->cache);
}

/* ima §5.3: listed, excluded or signed. A signature is asked for last, as it costs most. */
static void check_file(ImaJudge *judge, const ImaEntry *entry)
{
    if (judge->policy) {
        RuntimePolicyMatch found = match(judge, RUNTIME_POLICY_DIGESTS, entry);
        if (found != RUNTIME_POLICY_MATCH && !is_excluded(judge, entry) && !is_signed(judge, entry))
            fail_match(judge, RUNTIME_POLICY_DIGESTS, entry, found,
                       judge->rings && entry->signature.size > 0
                           ? ", and no known key verifies its signature"
                           : "");
        return;
    }
    bool needs_signature = entry->template == IMA_TEMPLATE_SIG ||
                           entry->template == IMA_TEMPLATE_SIGV2 ||
                           entry->template == IMA_TEMPLATE_MODSIG;
    if (!judge->rings || !needs_signature || is_signed(judge, entry))
        return;
    ImaReport report = report_of(judge, entry, EVENT_SIGNATURE, "verification-keys");
    ima_report(judge->verdict, &report, "the signature does not verify, and there is no policy");
}

/* --- buffers --------------------------------------------------------------------------------- */

/* The digest column is that of the buffer (decision D44): otherwise a listed digest would vouch for
 * any bytes. */
static bool check_buffer_digest(ImaJudge *judge, const ImaEntry *entry)
{
    if (!judge->rules->check_buffers)
        return true;
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size;
    if (ima_hash_data(entry->algorithm, entry->buffer, digest, &size) &&
        bytes_equal(bytes_of(digest, size), entry->digest))
        return true;
    ImaReport report = report_of(judge, entry, EVENT_BUFFER, "buffer");
    ima_report(judge->verdict, &report, "the digest is not that of the measured buffer");
    return false;
}

/* The template's name is not hashed, so a signed file's entry could be told as a buffer's: only its
 * digest gives it away, and that is looked at in ignored keyrings, too. */
static void check_key(ImaJudge *judge, const ImaEntry *entry, const ImaKey *key)
{
    bool ignored = judge->policy && runtime_policy_ignores_keyring(judge->policy, entry->name);
    if (!ignored &&
        !check_listed(judge, RUNTIME_POLICY_KEYRINGS, judge->rules->excludes_admit_keys, entry))
        return;
    if (!check_buffer_digest(judge, entry) || ignored)
        return;
    if (judge->rings && judge->covered)
        ima_keyrings_add(judge->rings, entry->name, key);
}

/* Where the device mapper's failures go: the report that all of them begin with. */
typedef struct {
    Verdict *verdict;
    ImaReport report;
} DeviceReport;

static void fail_device(void *data, const char *event, const char *message, const char *got,
                        const char *expected)
{
    const DeviceReport *target = data;
    g_autofree char *event_id = g_strconcat(EVENT_DEVICE_MAPPER, event, NULL);
    ImaReport report = target->report;
    report.event_id = event_id;
    report.got = got;
    report.expected_one = expected;
    ima_report(target->verdict, &report, "%s", message);
}

static void check_buffer(ImaJudge *judge, const ImaEntry *entry)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ImaKey) key = NULL;
    if (judge->keys_tried < IMA_MAX_KEYS) {
        judge->keys_tried++;
        key = ima_key_parse(entry->buffer, &error);
    }
    if (g_error_matches(error, IMA_KEY_ERROR, IMA_KEY_ERROR_UNSUPPORTED)) {
        ImaReport report = report_of(judge, entry, EVENT_KEY, "key type");
        ima_report(judge->verdict, &report, "a key is neither RSA nor EC");
    } else if (key) {
        check_key(judge, entry, key);
    } else if (judge->device_policy && device_mapper_is_event(entry->name)) {
        DeviceReport target = {judge->verdict, report_of(judge, entry, NULL, "dm_policy")};
        device_mapper_judge(judge->devices, judge->device_policy,
                            judge->rules->device_mapper_as_upstream, entry, fail_device, &target);
    } else if (check_listed(judge, RUNTIME_POLICY_IMA_BUF, true, entry)) {
        check_buffer_digest(judge, entry);
    }
}

/* --- the entry ------------------------------------------------------------------------------- */

static void check_violation(ImaJudge *judge, const ImaEntry *entry)
{
    ImaReport report = report_of(judge, entry, EVENT_VIOLATION, "ima_violations");
    switch (judge->rules->violations) {
    case IMA_VIOLATIONS_IGNORE:
        return;
    case IMA_VIOLATIONS_FAIL:
        ima_report(judge->verdict, &report,
                   "the file changed while it was measured or was open for writing");
        return;
    case IMA_VIOLATIONS_PATH:
        break;
    }
    if (judge->policy &&
        match(judge, RUNTIME_POLICY_DIGESTS, entry) == RUNTIME_POLICY_NO_SUCH_NAME &&
        !is_excluded(judge, entry))
        fail_match(judge, RUNTIME_POLICY_DIGESTS, entry, RUNTIME_POLICY_NO_SUCH_NAME, "");
}

static bool is_all_ones(Bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != 0xff)
            return false;
    return true;
}

static void fail_template_hash(ImaJudge *judge, const ImaEntry *entry,
                               const ImaTemplateCheck *check)
{
    bool ones = judge->rules->ones_are_violations &&
                judge->rules->violations == IMA_VIOLATIONS_FAIL &&
                entry->template_hash.size == check->size && is_all_ones(entry->template_hash);
    ImaReport report =
        report_of(judge, entry, ones ? EVENT_VIOLATION : EVENT_HASH, "template hash");
    g_autofree char *got = hex_encode(bytes_of(
        entry->template_hash.data, MIN(entry->template_hash.size, (size_t)TPM_MAX_DIGEST)));
    g_autofree char *expected = hex_encode(bytes_of(check->column, check->size));
    report.got = got;
    report.expected_one = expected;
    ima_report(judge->verdict, &report,
               "the template hash is not that of the entry: it was altered, or the policy's "
               "log_hash_alg is not the kernel's");
}

void ima_judge_entry(ImaJudge *judge, const ImaEntry *entry, const ImaTemplateCheck *check)
{
    if (!bytes_equal(entry->pcr, bytes_of("10", 2))) {
        ImaReport report = report_of(judge, entry, EVENT_PCR, "pcr column");
        g_autofree char *got = ima_report_text(entry->pcr);
        report.expected_one = "10";
        report.got = got;
        ima_report(judge->verdict, &report, "it was measured into another PCR than 10");
    }
    if (check->violation)
        check_violation(judge, entry);
    else if (!bytes_equal(entry->template_hash, bytes_of(check->column, check->size)))
        fail_template_hash(judge, entry, check);
    else if (entry->template == IMA_TEMPLATE_BUF)
        check_buffer(judge, entry);
    else
        check_file(judge, entry);
}

void ima_judge_broken(ImaJudge *judge, Bytes line, const char *reason)
{
    ImaReport report = {
        .event_id = EVENT_PARSER, .rule = "parser", .entry = judge->entry, .line = line};
    ima_report(judge->verdict, &report, "the line does not parse: %s", reason);
}

void ima_judge_first(ImaJudge *judge, const ImaEntry *entry)
{
    if (has_name(entry, BOOT_AGGREGATE))
        return;
    ImaReport report = report_of(judge, entry, EVENT_NOT_LISTED, BOOT_AGGREGATE);
    report.expected_one = BOOT_AGGREGATE;
    ima_report(judge->verdict, &report, "the list does not begin with boot_aggregate");
}

void ima_judge_devices(ImaJudge *judge)
{
    if (!judge->device_policy)
        return;
    DeviceReport target = {judge->verdict, {.rule = "dm_policy"}};
    device_mapper_check(judge->devices, judge->device_policy, fail_device, &target);
}
