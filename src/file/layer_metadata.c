/* The metadata of a layer file as numbers and truth values. */
#include "layer_reading.h"

#include <float.h>
#include <string.h>

#define FAIL SMOE_READING_FAIL

const char *smoe_reading_metadata(const smoe_reading *r, const char *key)
{
    return r->result == SMOE_SUCCESS ? smoe_layer_file_metadata(r->file, key) : NULL;
}

void smoe_reading_float(smoe_reading *r, const char *key, float *out)
{
    const char *text = smoe_reading_metadata(r, key);
    double value;
    if (!text)
        return;
    if (!smoe_file_parse_number(text, &value) || value > FLT_MAX || value < -FLT_MAX)
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", which is not a finite number", key, text);
    else
        *out = (float)value;
}

uint32_t smoe_reading_count(smoe_reading *r, const char *key, uint32_t least, uint32_t largest, uint32_t absent)
{
    const char *text = smoe_reading_metadata(r, key);
    uint64_t value = absent;
    if (text && (!smoe_file_parse_integer(text, &value) || value < least || value > largest)) {
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be a whole number from %u to %u", key, text, least, largest);
        return absent;
    }
    return (uint32_t)value;
}

bool smoe_reading_bool(smoe_reading *r, const char *key, bool absent)
{
    const char *text = smoe_reading_metadata(r, key);
    if (text && strcmp(text, "True") != 0 && strcmp(text, "False") != 0) {
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be True or False", key, text);
        return absent;
    }
    return text ? strcmp(text, "True") == 0 : absent;
}

void smoe_reading_require(smoe_reading *r, const char *key)
{
    if (r->result == SMOE_SUCCESS && !smoe_reading_metadata(r, key))
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is missing: no tensor tells it", key);
}

void smoe_reading_agree(smoe_reading *r, const char *key, uint32_t value, const char *tensor)
{
    const char *text = smoe_reading_metadata(r, key);
    uint64_t written;
    if (text && (!smoe_file_parse_integer(text, &written) || written != value))
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but tensor %s has %u", key, text, tensor, value);
}

/* ---- forward parameters: the rules are those of smoe_forward_params --------------------------------------------------- */

static bool is_divisor(float value)
{
    return value >= 1e-30f && value <= 1e30f;
}

void smoe_reading_params(smoe_reading *r)
{
    smoe_forward_params *params = &r->params;
    smoe_reading_float(r, "eps", &params->eps);
    smoe_reading_float(r, "group_eps", &params->group_eps);
    smoe_reading_float(r, "a", &params->a);
    smoe_reading_float(r, "b", &params->b);
    smoe_reading_float(r, "temperature", &params->temperature);
    smoe_reading_float(r, "tie_tolerance", &params->tie_tolerance);
    smoe_reading_float(r, "scale", &params->scale);
    const struct {
        const char *key;
        bool legal;
        const char *rule;
    } rules[] = {
        {"eps", params->eps == 0.0f || is_divisor(params->eps), "0 or 1e-30 .. 1e30"},
        {"group_eps", params->group_eps == 0.0f || is_divisor(params->group_eps), "0 or 1e-30 .. 1e30"},
        {"a", params->a > 0.0f && params->a <= 1024.0f, "above 0 and at most 1024"},
        {"b", params->b > 0.0f && params->b <= 1024.0f, "above 0 and at most 1024"},
        {"temperature", is_divisor(params->temperature), "1e-30 .. 1e30"},
        {"tie_tolerance", params->tie_tolerance >= 0.0f, "at least 0"},
    };
    for (size_t i = 0; r->result == SMOE_SUCCESS && i < sizeof rules / sizeof *rules; i++)
        if (!rules[i].legal)
            FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be %s", rules[i].key, smoe_reading_metadata(r, rules[i].key),
                 rules[i].rule);
}
