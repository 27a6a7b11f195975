/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/document.h"

Json *attestation_document_resource(Json *document)
{
    Json *data = json_member(document, "data");
    if (data && json_object_is_type(data, json_type_array) && json_object_array_length(data) == 1)
        data = json_object_array_get_idx(data, 0);
    return data && json_object_is_type(data, json_type_object) ? data : NULL;
}

bool attestation_document_is_attestation(Json *resource)
{
    return g_strcmp0(json_member_text(resource, "type"), "attestation") == 0;
}

Json *attestation_document_attributes(Json *resource)
{
    return json_member_of_type(resource, "attributes", json_type_object);
}
