/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/pcr_failure.h"

#include "base/encoding.h"

void pcr_failure_value(Verdict *verdict, const char *event_id, unsigned pcr, uint16_t bank,
                       const char *expected, Bytes got, const char *reason)
{
    g_autofree char *got_hex = hex_encode(got);
    g_autofree char *message =
        g_strdup_printf("PCR %u (%s): %s", pcr, tpm_algorithm_name(bank), reason);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_int(context, "pcr", pcr);
    json_add_text(context, "bank", tpm_algorithm_name(bank));
    json_add_text(context, "expected", expected);
    json_add_text(context, "got", got_hex);
    verdict_fail(verdict, event_id, context);
}

void pcr_failure_missing(Verdict *verdict, const char *event_id, uint32_t missing, uint16_t bank,
                         const char *what)
{
    g_autoptr(GString) list = g_string_new(NULL);
    Json *data = json_object_new_array();
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if (!(missing >> pcr & 1))
            continue;
        g_string_append_printf(list, "%s%u", list->len > 0 ? ", " : "", pcr);
        json_object_array_add(data, json_object_new_int((int)pcr));
    }
    g_autofree char *message =
        g_strdup_printf("%s (%s): %s", what, tpm_algorithm_name(bank), list->str);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_text(context, "bank", tpm_algorithm_name(bank));
    json_add(context, "data", data);
    verdict_fail(verdict, event_id, context);
}
