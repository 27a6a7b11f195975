/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/report.h"

#include "base/encoding.h"
#include "tpm/algorithm.h"

char *ima_report_text(Bytes bytes)
{
    bool cut = bytes.size > IMA_REPORT_MAX_TEXT;
    g_autofree char *text = utf8_escape(bytes_of(bytes.data, MIN(bytes.size, IMA_REPORT_MAX_TEXT)));
    return cut ? g_strconcat(text, "...", NULL) : g_steal_pointer(&text);
}

static void add_bytes_text(Json *object, const char *name, Bytes bytes)
{
    g_autofree char *text = ima_report_text(bytes);
    json_add_text(object, name, text);
}

/* "sha256:<hex>", as lists write it. */
static char *digest_text(const ImaEntry *entry)
{
    g_autofree char *algorithm = ima_report_text(entry->field[0].label);
    g_autofree char *hex =
        hex_encode(bytes_of(entry->digest.data, MIN(entry->digest.size, (size_t)TPM_MAX_DIGEST)));
    return g_strconcat(algorithm, ":", hex, NULL);
}

static void add_content(Json *context, const ImaEntry *content)
{
    g_autofree char *digest = digest_text(content);
    add_bytes_text(context, "path", content->name);
    json_add_text(context, "template", ima_template_name(content->template));
    json_add_text(context, "digest", digest);
}

void ima_report(Verdict *verdict, const ImaReport *report, const char *format, ...)
{
    if (!verdict_keeps_more(verdict) && report->entry > 0) {
        verdict_fail(verdict, report->event_id, NULL);
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *message =
        report->entry > 0
            ? g_strdup_printf("IMA entry %" G_GUINT64_FORMAT ": %s", report->entry, text)
            : g_strconcat("IMA list: ", text, NULL);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_text(context, "rule", report->rule);
    if (report->entry > 0)
        json_add_int(context, "entry", (gint64)report->entry);
    if (report->content)
        add_content(context, report->content);
    else if (report->line.size > 0)
        add_bytes_text(context, "line", report->line);
    if (report->expected)
        json_add(context, "expected", json_new_texts((const char *const *)report->expected));
    else if (report->expected_one)
        json_add_text(context, "expected", report->expected_one);
    if (report->got)
        json_add_text(context, "got", report->got);
    verdict_fail(verdict, report->event_id, context);
}
