/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/entry.h"

#include "base/encoding.h"

#include <string.h>

enum { SHA1_SIZE = 20, MD5_SIZE = 16, SIGNATURE_HEADER = 9 };

#define MISSING_FIELD "a field is missing"

/* Indexed by ImaTemplate. */
static const struct {
    const char *name;
    bool upstream; /* one of the four that upstream's verifier reads */
    ImaFieldKind fields[IMA_MAX_FIELDS];
} forms[] = {
    {"ima", true, {IMA_FIELD_DIGEST_BARE, IMA_FIELD_NAME_PADDED}},
    {"ima-ng", true, {IMA_FIELD_DIGEST, IMA_FIELD_NAME}},
    {"ima-sig", true, {IMA_FIELD_DIGEST, IMA_FIELD_NAME, IMA_FIELD_SIGNATURE}},
    {"ima-buf", true, {IMA_FIELD_DIGEST, IMA_FIELD_NAME, IMA_FIELD_BYTES}},
    {"ima-ngv2", false, {IMA_FIELD_DIGEST_TYPED, IMA_FIELD_NAME}},
    {"ima-sigv2", false, {IMA_FIELD_DIGEST_TYPED, IMA_FIELD_NAME, IMA_FIELD_SIGNATURE}},
    {"ima-modsig",
     false,
     {IMA_FIELD_DIGEST, IMA_FIELD_NAME, IMA_FIELD_SIGNATURE, IMA_FIELD_DIGEST_MAYBE,
      IMA_FIELD_BYTES}},
    {"evm-sig",
     false,
     {IMA_FIELD_DIGEST, IMA_FIELD_NAME, IMA_FIELD_BYTES, IMA_FIELD_NAMES_MAYBE, IMA_FIELD_BYTES,
      IMA_FIELD_BYTES, IMA_FIELD_UINT32, IMA_FIELD_UINT32, IMA_FIELD_UINT16}},
};

const char *ima_template_name(ImaTemplate template)
{
    return forms[template].name;
}

static ImaFieldKind kind_of_field(ImaTemplate template, size_t index)
{
    return index < IMA_MAX_FIELDS ? forms[template].fields[index] : IMA_FIELD_END;
}

static bool find_template(Bytes name, bool all, ImaTemplate *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++)
        if ((all || forms[i].upstream) && bytes_equal(name, bytes_of_text(forms[i].name))) {
            *out = (ImaTemplate)i;
            return true;
        }
    return false;
}

/* What stands before the next single space; the space is passed over. */
static bool take_token(Bytes *rest, Bytes *token)
{
    const uint8_t *space = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
    if (!space)
        return false;
    *token = bytes_of(rest->data, (size_t)(space - rest->data));
    *rest = bytes_of(space + 1, rest->size - token->size - 1);
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As upstream reads it: ASCII white space between pairs of digits counts for nothing (ima §2.2). */
static bool decode_spaced_hex(Bytes text, uint8_t *out, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < text.size;) {
        if (is_blank(text.data[i])) {
            i++;
            continue;
        }
        if (text.size - i < 2 || !hex_decode_to(bytes_of(text.data + i, 2), out + *size))
            return false;
        ++*size;
        i += 2;
    }
    return true;
}

/* Decodes into lent memory and moves it on. */
static bool take_hex(Bytes text, uint8_t **memory, Bytes *out)
{
    size_t size = text.size / 2;
    if (!hex_decode_to(text, *memory) && !decode_spaced_hex(text, *memory, &size))
        return false;
    *out = bytes_of(*memory, size);
    *memory += size;
    return true;
}

/* "<hex>" of 20 or 16 bytes, or "<algorithm>:<hex>"; typed: "<type>:<algorithm>:<hex>". */
static const char *parse_digest(Bytes token, bool typed, uint8_t **memory, ImaField *field)
{
    const uint8_t *colon = token.size > 0 ? memrchr(token.data, ':', token.size) : NULL;
    Bytes digits = token;
    field->label = BYTES_EMPTY;
    if (colon) {
        field->label = bytes_of(token.data, (size_t)(colon - token.data));
        digits = bytes_of(colon + 1, token.size - field->label.size - 1);
    }
    const uint8_t *second =
        field->label.size > 0 ? memchr(field->label.data, ':', field->label.size) : NULL;
    if (typed != (second != NULL))
        return typed ? "the digest has no type" : "the digest has too many colons";
    if (!take_hex(digits, memory, &field->value))
        return "the digest is not hexadecimal";
    if (colon)
        return NULL;
    if (field->value.size != SHA1_SIZE && field->value.size != MD5_SIZE)
        return "the digest has no algorithm";
    field->label = bytes_of_text(field->value.size == SHA1_SIZE ? "sha1" : "md5");
    return NULL;
}

/* struct signature_v2_hdr: what does not fit its own length counts as no signature (ima §2.3). */
static void parse_signature(Bytes text, uint8_t **memory, Bytes *out)
{
    uint8_t *start = *memory;
    if (take_hex(text, memory, out) && out->size >= SIGNATURE_HEADER &&
        (size_t)(out->data[7] << 8 | out->data[8]) + SIGNATURE_HEADER == out->size)
        return;
    *memory = start;
    *out = BYTES_EMPTY;
}

static bool parse_number(Bytes text, size_t size, uint8_t **memory, Bytes *out)
{
    guint64 limit = size == 2 ? G_MAXUINT16 : G_MAXUINT32;
    guint64 number = 0;
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!g_ascii_isdigit(text.data[i]))
            return false;
        number = number * 10 + (guint64)(text.data[i] - '0');
        if (number > limit)
            return false;
    }
    *out = bytes_of(*memory, size);
    for (size_t i = 0; i < size; i++)
        *(*memory)++ = (uint8_t)(number >> (8 * i));
    return true;
}

static const char *parse_field(Bytes token, uint8_t **memory, ImaField *field)
{
    field->label = BYTES_EMPTY;
    field->value = token;
    switch (field->kind) {
    case IMA_FIELD_DIGEST_MAYBE:
        if (token.size == 0)
            return NULL;
        /* fall through */
    case IMA_FIELD_DIGEST:
    case IMA_FIELD_DIGEST_BARE:
        return parse_digest(token, false, memory, field);
    case IMA_FIELD_DIGEST_TYPED:
        return parse_digest(token, true, memory, field);
    case IMA_FIELD_NAME_PADDED:
        return token.size > IMA_PADDED_NAME_MAX ? "the name is longer than 255 bytes" : NULL;
    case IMA_FIELD_SIGNATURE:
        parse_signature(token, memory, &field->value);
        return NULL;
    case IMA_FIELD_BYTES:
        return take_hex(token, memory, &field->value) ? NULL : "a field is not hexadecimal";
    case IMA_FIELD_UINT32:
    case IMA_FIELD_UINT16:
        return parse_number(token, field->kind == IMA_FIELD_UINT16 ? 2 : 4, memory, &field->value)
                   ? NULL
                   : "an owner or mode is no number";
    case IMA_FIELD_NAME:
    case IMA_FIELD_NAMES_MAYBE:
    case IMA_FIELD_END:
        break;
    }
    return NULL;
}

static const char *parse_fields(Bytes rest, uint8_t *memory, ImaEntry *entry)
{
    ImaFieldKind kind = kind_of_field(entry->template, 0);
    for (size_t i = 0; kind != IMA_FIELD_END; i++) {
        ImaFieldKind next = kind_of_field(entry->template, i + 1);
        ImaField *field = &entry->field[i];
        Bytes token = rest; /* the last field has everything that is left */
        if (next != IMA_FIELD_END && !take_token(&rest, &token))
            return MISSING_FIELD;
        field->kind = kind;
        const char *problem = parse_field(token, &memory, field);
        if (problem)
            return problem;
        entry->field_count = i + 1;
        kind = next;
    }
    return NULL;
}

static const char *set_digest(ImaEntry *entry)
{
    const ImaField *field = &entry->field[0];
    entry->digest = field->value;
    entry->algorithm = field->label;
    entry->digest_type = IMA_DIGEST_UNTYPED;
    if (field->kind != IMA_FIELD_DIGEST_TYPED)
        return NULL;
    const uint8_t *colon = memchr(field->label.data, ':', field->label.size);
    Bytes type = bytes_of(field->label.data, (size_t)(colon - field->label.data));
    entry->algorithm = bytes_of(colon + 1, field->label.size - type.size - 1);
    if (bytes_equal(type, bytes_of_text("ima")))
        entry->digest_type = IMA_DIGEST_OF_FILE;
    else if (bytes_equal(type, bytes_of_text("verity")))
        entry->digest_type = IMA_DIGEST_OF_VERITY;
    else
        return "the digest's type is unknown";
    return memchr(entry->algorithm.data, ':', entry->algorithm.size)
               ? "the digest has too many colons"
               : NULL;
}

const char *ima_entry_parse(Bytes line, bool all_templates, uint8_t *memory, ImaEntry *entry)
{
    Bytes rest = line, template_hash, template;
    if (!take_token(&rest, &entry->pcr) || !take_token(&rest, &template_hash) ||
        !take_token(&rest, &template))
        return MISSING_FIELD;
    if (!take_hex(template_hash, &memory, &entry->template_hash))
        return "the template hash is not hexadecimal";
    if (!find_template(template, all_templates, &entry->template))
        return "the template is unknown";
    const char *problem = parse_fields(rest, memory, entry);
    if (!problem)
        problem = set_digest(entry);
    if (problem)
        return problem;
    entry->line = line;
    entry->name = entry->field[1].value;
    entry->signature = entry->buffer = BYTES_EMPTY;
    if (entry->field_count > 2 && entry->field[2].kind == IMA_FIELD_SIGNATURE)
        entry->signature = entry->field[2].value;
    else if (entry->template == IMA_TEMPLATE_BUF)
        entry->buffer = entry->field[2].value;
    return NULL;
}
