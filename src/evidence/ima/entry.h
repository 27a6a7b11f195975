/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a Linux IMA measurement list (ima §2.2 to §2.5, decision D48).
 *
 * The line is split and its hexadecimal decoded; nothing is judged. Texts are views into the line,
 * decoded bytes are views into memory that the caller lends, so an entry costs no allocation.
 */
#pragma once

#include "base/bytes.h"

typedef enum {
    IMA_TEMPLATE_IMA,
    IMA_TEMPLATE_NG,
    IMA_TEMPLATE_SIG,
    IMA_TEMPLATE_BUF,
    IMA_TEMPLATE_NGV2,
    IMA_TEMPLATE_SIGV2,
    IMA_TEMPLATE_MODSIG,
    IMA_TEMPLATE_EVM_SIG,
} ImaTemplate;

/* How a field stands in the template data. */
typedef enum {
    IMA_FIELD_END,          /* no further field */
    IMA_FIELD_DIGEST_BARE,  /* d: the digest alone */
    IMA_FIELD_NAME_PADDED,  /* n: the name, NULs up to 256 bytes */
    IMA_FIELD_DIGEST,       /* d-ng: length, algorithm, ':', NUL, digest */
    IMA_FIELD_DIGEST_TYPED, /* d-ngv2: the same with "ima:" or "verity:" before the algorithm */
    IMA_FIELD_DIGEST_MAYBE, /* d-modsig: as d-ng, or nothing */
    IMA_FIELD_NAME,         /* n-ng: length, name, NUL */
    IMA_FIELD_NAMES_MAYBE,  /* xattrnames: as n-ng, or nothing */
    IMA_FIELD_SIGNATURE,    /* sig: length, bytes; nothing when it is no signature */
    IMA_FIELD_BYTES,        /* buf and others in hexadecimal: length, bytes */
    IMA_FIELD_UINT32,       /* iuid, igid: length, 4 bytes; a decimal number in the text */
    IMA_FIELD_UINT16,       /* imode: the same with 2 bytes */
} ImaFieldKind;

#define IMA_MAX_FIELDS 9
/* Of the name in template `ima`, without its NUL. */
#define IMA_PADDED_NAME_MAX 255

typedef struct {
    ImaFieldKind kind;
    Bytes label; /* of a digest: what stands before the colon, "sha256" or "verity:sha256" */
    Bytes value;
} ImaField;

typedef enum { IMA_DIGEST_UNTYPED, IMA_DIGEST_OF_FILE, IMA_DIGEST_OF_VERITY } ImaDigestType;

typedef struct {
    Bytes line;
    Bytes pcr; /* text */
    Bytes template_hash;
    ImaTemplate template;
    size_t field_count;
    ImaField field[IMA_MAX_FIELDS];
    /* What the rules look at: views into the fields above. */
    Bytes algorithm; /* of the digest, as written; "sha1" or "md5" when the text has none */
    ImaDigestType digest_type;
    Bytes digest;    /* any length: it is not compared with the algorithm */
    Bytes name;      /* path, key ring or buffer name; any bytes, NUL included */
    Bytes signature; /* empty when there is none, or when it is malformed */
    Bytes buffer;    /* of ima-buf */
} ImaEntry;

/* "ima-ng"; static. */
const char *ima_template_name(ImaTemplate template);

/* Bytes of memory that an entry of a line of `size` bytes needs at most. */
static inline size_t ima_entry_memory(size_t size)
{
    return size + 16;
}

/*
 * Parses one line without its line end. `memory` has ima_entry_memory(line.size) bytes and lives as
 * long as the entry. With `all_templates` false only the four that upstream knows are read. Returns
 * NULL, or why the line does not parse (static text).
 */
const char *ima_entry_parse(Bytes line, bool all_templates, uint8_t *memory, ImaEntry *entry);
