/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables of Secure Boot in PCR 7: which may be measured, and what they may hold (measured-boot
 * §12.3, §12.4, rule P4 of §15).
 */
#include "evidence/uefi/boot_evaluation.h"

#include "base/encoding.h"
#include "evidence/uefi/guid.h"
#include "evidence/uefi/signature_list.h"

#include <string.h>

/* A GUID, and the text that wrong byte order made of it in old logs and policies (§5). */
typedef struct {
    const char *text, *swapped;
} Guid;

static const Guid global_variable = {"8be4df61-93ca-11d2-aa0d-00e098032b8c",
                                     "61dfe48b-ca93-d211-aa0d-00e098032b8c"};
static const Guid security_database = {"d719b2cb-3d3a-4596-a3bc-dad00e67656f",
                                       "cbb219d7-3a3d-9645-a3bc-dad00e67656f"};
static const Guid shim = {"605dab50-e046-4300-abb6-3dd810dd8b23",
                          "50ab5d60-46e0-0043-abb6-3dd810dd8b23"};
static const Guid shim_only = {"605dab50-e046-4300-abb6-3dd810dd8b23", NULL};
static const Guid type_x509 = {"a5c059a1-94e4-4aa7-87b5-ab155c2bf072",
                               "a159c0a5-e494-a74a-87b5-ab155c2bf072"};
static const Guid type_sha256 = {"c1c41626-504c-4092-aca9-41f936934328",
                                 "2616c4c1-4c50-9240-aca9-41f936934328"};

static bool is_guid(Bytes guid, const Guid *known)
{
    return uefi_guid_is(guid, known->text) ||
           (known->swapped && uefi_guid_is(guid, known->swapped));
}

bool boot_variable_is_global(const UefiVariable *variable)
{
    return is_guid(variable->guid, &global_variable);
}

/* --- one key ------------------------------------------------------------------------------- */

/* Position of the key in the set, counted from 1; 0 when it is not in it. */
static guint position_of(const ReferenceKeys *keys, const UefiSignature *signature, GString *text)
{
    char owner[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(signature->owner, owner);
    g_autofree char *data = hex_encode(signature->data);
    reference_key(text, owner, data);
    return GPOINTER_TO_UINT(g_hash_table_lookup((GHashTable *)keys, text->str));
}

/* What an operator can recognise a certificate or hash by. */
static char *describe(const UefiSignature *signature)
{
    char owner[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(signature->owner, owner);
    g_autofree char *hash =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, signature->data.data, signature->data.size);
    return g_strdup_printf("owner %s, %zu bytes with SHA-256 %s", owner, signature->data.size,
                           hash);
}

static void check_key(BootEvaluation *evaluation, const UefiEvent *event, const char *member,
                      const ReferenceKeys *keys, const UefiSignature *signature)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (position_of(keys, signature, text) != 0)
        return;
    g_autofree char *got = describe(signature);
    g_autofree char *expected = g_strdup_printf("one of the %u keys in \"%s\"",
                                                g_hash_table_size((GHashTable *)keys), member);
    boot_fail(evaluation, event, expected, got, "a key of %s is not in the reference state: %s",
              member, got);
}

/* Without Secure Boot the firmware does not use its keys: an empty list says that they do not
 * matter (§12.3). */
static bool is_unchecked(const BootEvaluation *evaluation, const ReferenceKeys *keys)
{
    return !evaluation->reference->secure_boot && g_hash_table_size((GHashTable *)keys) == 0;
}

static bool is_hardware(const BootEvaluation *evaluation)
{
    return evaluation->subject->rules == BOOT_RULES_HARDWARE;
}

/* --- allowed keys: PK, KEK, db ------------------------------------------------------------- */

/* Every list of a variable has one of the types, all in one spelling. */
static bool types_fit(Bytes lists, const Guid *const types[2])
{
    bool correct = true, swapped = true;
    Reader reader = reader_of(lists);
    UefiSignatureList list;
    while (uefi_signature_list_next(&reader, &list)) {
        bool as_text = false, as_swapped = false;
        for (size_t i = 0; i < 2; i++) {
            as_text |= types[i] && uefi_guid_is(list.type, types[i]->text);
            as_swapped |= types[i] && uefi_guid_is(list.type, types[i]->swapped);
        }
        correct &= as_text;
        swapped &= as_swapped;
    }
    return correct || swapped;
}

/* `example` wants at least one list, and keys in each. */
static bool lists_are_filled(Bytes lists)
{
    size_t count = 0;
    Reader reader = reader_of(lists);
    UefiSignatureList list;
    for (; uefi_signature_list_next(&reader, &list); count++)
        if (reader_at_end(&list.signatures))
            return false;
    return count > 0;
}

static void check_allowed(BootEvaluation *evaluation, const UefiEvent *event,
                          const UefiVariable *variable, const char *member,
                          const ReferenceKeys *keys, const Guid *const types[2])
{
    if (is_unchecked(evaluation, keys))
        return;
    if (!is_hardware(evaluation) && !lists_are_filled(variable->data)) {
        boot_fail(evaluation, event, "lists of keys", "no list, or an empty one",
                  "%s holds no keys", member);
        return;
    }
    if (!is_hardware(evaluation) && !types_fit(variable->data, types)) {
        boot_fail(evaluation, event,
                  types[1] ? "X.509 certificates and SHA-256 hashes" : "X.509 certificates",
                  "other types", "%s holds keys of an unexpected type", member);
        return;
    }
    Reader reader = reader_of(variable->data);
    UefiSignatureList list;
    UefiSignature signature;
    while (uefi_signature_list_next(&reader, &list))
        while (!evaluation->abandoned && uefi_signature_next(&list, &signature))
            check_key(evaluation, event, member, keys, &signature);
}

static void check_pk(BootEvaluation *evaluation, const UefiEvent *event,
                     const UefiVariable *variable)
{
    check_allowed(evaluation, event, variable, "pk", evaluation->reference->pk,
                  (const Guid *const[2]){&type_x509, NULL});
}

static void check_kek(BootEvaluation *evaluation, const UefiEvent *event,
                      const UefiVariable *variable)
{
    check_allowed(evaluation, event, variable, "kek", evaluation->reference->kek,
                  (const Guid *const[2]){&type_x509, NULL});
}

static void check_db(BootEvaluation *evaluation, const UefiEvent *event,
                     const UefiVariable *variable)
{
    check_allowed(evaluation, event, variable, "db", evaluation->reference->db,
                  (const Guid *const[2]){&type_x509, &type_sha256});
}

/* The view shows this one as bytes, so no reference state fits it (§6.4). */
static void check_vendor_db_config(BootEvaluation *evaluation, const UefiEvent *event,
                                   const UefiVariable *variable)
{
    if (!is_unchecked(evaluation, evaluation->reference->vendor_db))
        boot_fail(evaluation, event, "no such variable of the firmware", "vendor_db",
                  "vendor_db of the firmware cannot be judged");
}

/* --- forbidden keys: dbx ------------------------------------------------------------------- */

static bool dbx_has_form(Bytes lists)
{
    Reader reader = reader_of(lists);
    UefiSignatureList list;
    return uefi_signature_list_next(&reader, &list) && is_guid(list.type, &type_sha256) &&
           !reader_at_end(&list.signatures) && !uefi_signature_list_next(&reader, &list);
}

/* How many keys of the reference state the lists lack. */
static guint count_missing(const ReferenceKeys *keys, Bytes lists)
{
    guint missing = g_hash_table_size((GHashTable *)keys);
    g_autofree bool *seen = g_new0(bool, missing + 1);
    g_autoptr(GString) text = g_string_new(NULL);
    Reader reader = reader_of(lists);
    UefiSignatureList list;
    UefiSignature signature;
    while (uefi_signature_list_next(&reader, &list))
        while (uefi_signature_next(&list, &signature)) {
            guint position = position_of(keys, &signature, text);
            if (position == 0 || seen[position])
                continue;
            seen[position] = true;
            missing--;
        }
    return missing;
}

static void check_dbx(BootEvaluation *evaluation, const UefiEvent *event,
                      const UefiVariable *variable)
{
    const ReferenceKeys *keys = evaluation->reference->dbx;
    if (is_unchecked(evaluation, keys))
        return;
    if (!is_hardware(evaluation) && !dbx_has_form(variable->data)) {
        boot_fail(evaluation, event, "one list of SHA-256 hashes", "other lists",
                  "dbx is not one list of SHA-256 hashes; the policy \"hardware\" reads others");
        return;
    }
    guint missing = count_missing(keys, variable->data);
    if (missing == 0)
        return;
    g_autofree char *expected = g_strdup_printf("the %u keys in \"dbx\", and any others",
                                                g_hash_table_size((GHashTable *)keys));
    g_autofree char *got = g_strdup_printf("%u of them are missing", missing);
    boot_fail(evaluation, event, expected, got,
              "dbx lacks %u of the forbidden keys that the reference state names: the firmware's "
              "list of revocations is older",
              missing);
}

/* --- the others ---------------------------------------------------------------------------- */

static void check_secure_boot(BootEvaluation *evaluation, const UefiEvent *event,
                              const UefiVariable *variable)
{
    bool enabled = uefi_variable_flag(variable->data);
    if (enabled != evaluation->reference->secure_boot)
        boot_fail(evaluation, event, enabled ? "No" : "Yes", enabled ? "Yes" : "No",
                  "Secure Boot is %s; the reference state wants it %s", enabled ? "on" : "off",
                  enabled ? "off" : "on");
}

static void check_vendor_db(BootEvaluation *evaluation, const UefiEvent *event,
                            const UefiVariable *variable)
{
    const ReferenceKeys *keys = evaluation->reference->vendor_db;
    UefiSignature signature;
    Reader reader = reader_of(variable->data);
    if (is_unchecked(evaluation, keys) || !reader_take(&reader, UEFI_GUID_SIZE, &signature.owner))
        return;
    signature.data = reader.rest;
    check_key(evaluation, event, "vendor_db", keys, &signature);
}

static void accept(BootEvaluation *evaluation, const UefiEvent *event, const UefiVariable *variable)
{
}

/* --- the table ----------------------------------------------------------------------------- */

typedef struct {
    uint32_t type;
    const char *name; /* NULL: any other */
    const Guid *guid;
    unsigned policies;
    unsigned most; /* so many events at most; 0: any number */
    void (*check)(BootEvaluation *evaluation, const UefiEvent *event, const UefiVariable *variable);
} VariableRule;

static const VariableRule rules[] = {
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot", &global_variable, IN_BOTH, 0, check_secure_boot},
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "PK", &global_variable, IN_BOTH, 1, check_pk},
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "KEK", &global_variable, IN_BOTH, 1, check_kek},
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "db", &security_database, IN_BOTH, 1, check_db},
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "dbx", &security_database, IN_BOTH, 1, check_dbx},
    {EV_EFI_VARIABLE_DRIVER_CONFIG, "vendor_db", &security_database, IN_BOTH, 1,
     check_vendor_db_config},
    {EV_EFI_VARIABLE_DRIVER_CONFIG, NULL, NULL, IN_HARDWARE, 0, accept},

    /* Which key let an image run; the images themselves are judged in PCR 4. */
    {EV_EFI_VARIABLE_AUTHORITY, "vendor_db", &security_database, IN_BOTH, 1, check_vendor_db},
    {EV_EFI_VARIABLE_AUTHORITY, "db", &security_database, IN_EXAMPLE, 1, accept},
    {EV_EFI_VARIABLE_AUTHORITY, "SbatLevel", &shim, IN_EXAMPLE, 1, accept},
    {EV_EFI_VARIABLE_AUTHORITY, "Shim", &shim, IN_EXAMPLE, 1, accept},
    {EV_EFI_VARIABLE_AUTHORITY, "MokListTrusted", &shim_only, IN_EXAMPLE, 1, accept},
    {EV_EFI_VARIABLE_AUTHORITY, "MokListRT", &shim_only, IN_EXAMPLE, 1, accept},
    {EV_EFI_VARIABLE_AUTHORITY, NULL, NULL, IN_HARDWARE, 0, accept},
};
G_STATIC_ASSERT(G_N_ELEMENTS(rules) <= RULE_MAX);

const char *const boot_key_variables[KEY_VARIABLE_COUNT] = {"SecureBoot", "PK", "KEK", "db", "dbx"};

static const VariableRule *rule_of(BootRules policy, const UefiEvent *event,
                                   const UefiVariable *variable)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        const VariableRule *rule = &rules[i];
        if (rule->type == event->type && (rule->policies >> policy & 1) != 0 &&
            (!rule->name ||
             (uefi_variable_is_named(variable, rule->name) && is_guid(variable->guid, rule->guid))))
            return rule;
    }
    return NULL;
}

/* The variables that the policy knows in events of a type. */
static char *known_names(BootRules policy, uint32_t type)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
        if (rules[i].type == type && (rules[i].policies >> policy & 1) != 0 && rules[i].name)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", rules[i].name);
    return g_string_free(g_steal_pointer(&names), FALSE);
}

/* Rule P4: the firmware measures its variables, then the separator, then whose key let what run.
 * Whoever takes over later can extend PCR 7 only after the separator. */
static bool is_in_order(BootEvaluation *evaluation, const UefiEvent *event,
                        const VariableRule *rule, const char *name)
{
    bool separated = evaluation->separators[event->pcr] > 0;
    if (!evaluation->subject->strict)
        return true;
    if (event->type == EV_EFI_VARIABLE_AUTHORITY && !separated) {
        boot_fail(evaluation, event, "after the separator of PCR 7", "before it",
                  "the authority \"%s\" is measured before the separator", name);
        return false;
    }
    /* One of another vendor that is named so is none of them. */
    bool known = event->type == EV_EFI_VARIABLE_DRIVER_CONFIG && rule->name;
    for (size_t i = 0; known && i < KEY_VARIABLE_COUNT; i++)
        if (strcmp(boot_key_variables[i], rule->name) == 0) {
            evaluation->key_variables[i]++;
            if (separated) {
                boot_fail(evaluation, event, "before the separator of PCR 7", "after it",
                          "%s is measured after the separator, when the firmware had ended", name);
                return false;
            }
        }
    return true;
}

void boot_check_variable(BootEvaluation *evaluation, const UefiEvent *event)
{
    UefiVariable variable;
    if (!uefi_variable_parse(event->data, &variable))
        return; /* the parser has refused such a log */
    g_autofree char *name = uefi_variable_name(&variable);
    const VariableRule *rule = rule_of(evaluation->subject->rules, event, &variable);
    bool absent = uefi_variable_form(event->type, &variable) == UEFI_VARIABLE_OPAQUE &&
                  variable.data.size == 0 && rule && rule->name;
    if (!rule || absent) {
        g_autofree char *expected = known_names(evaluation->subject->rules, event->type);
        boot_fail(evaluation, event, expected, name,
                  "the policy \"%s\" has no rule for the variable \"%s\"%s",
                  boot_rules_name(evaluation->subject->rules), name,
                  absent ? " without a value" : "");
        return;
    }
    unsigned *uses = &evaluation->variable_uses[rule - rules];
    ++*uses;
    if (rule->most > 0 && *uses > rule->most)
        boot_fail(evaluation, event, "at most one such event", name,
                  "the variable \"%s\" is measured more than once", name);
    else if (is_in_order(evaluation, event, rule, name))
        rule->check(evaluation, event, &variable);
}
