/* What a checkpoint's configuration says about a layer, by the rows of its format. */
#include "checkpoint_internal.h"

#include <float.h>
#include <string.h>

#define MOST_KEY 96 /* bytes of a setting's name */

/* A setting's value: as config.json has it, else the file's own metadata, else the row's own. */
typedef struct setting {
    const char *source;
    char key[MOST_KEY];
    const char *text; /* NULL: there is none */
    bool no_scalar;   /* the file has null, or something else that has no text */
    bool null;        /* it is null, or an object, or null for this layer */
    char element[48]; /* a list's value for the layer, where that is the text */
} setting;

/* The value for one layer, of a list that has one for each; false where it has none, or none that fits. */
static bool take_element(char *list, uint32_t layer, setting *out)
{
    smoe_json_span value = {list, strlen(list)};
    smoe_json_cursor array = smoe_json_enter(value);
    const char *reason;
    array.python = true;
    for (uint32_t i = 0; smoe_json_next_element(&array, &value, &reason) == SMOE_JSON_ITEM; i++) {
        if (i < layer)
            continue;
        out->null = *value.text == 'n';
        const bool quoted = *value.text == '"';
        const size_t size = value.size - (quoted ? 2 : 0);
        if (!strchr("\"-0123456789tf", *value.text) || size >= sizeof out->element)
            return false;
        memcpy(out->element, value.text + quoted, size);
        out->element[size] = '\0';
        return true;
    }
    return false;
}

static void take_pair(setting *out, const smoe_file_pair *pair, uint32_t layer)
{
    out->text = pair->value;
    out->null = out->no_scalar = !pair->value;
    if (!pair->value || *pair->value != '[')
        return;
    out->no_scalar = !take_element((char *)(uintptr_t)pair->value, layer, out);
    out->text = out->no_scalar ? NULL : out->element;
}

/* Looks for one of a row's names, which ends at a | or a NUL. The settings of a part are in it and nowhere else. */
static bool find_key(const smoe_checkpoint_reading *r, const char *key, size_t size, setting *out)
{
    const smoe_checkpoint *checkpoint = r->checkpoint;
    char path[MOST_KEY + 32]; /* and a part */
    snprintf(out->key, sizeof out->key, "%.*s", (int)size, key);
    snprintf(path, sizeof path, "%s%s", checkpoint->config_part, out->key);
    const smoe_file_pair *pair = smoe_file_find_pair(checkpoint->config.pairs, checkpoint->config.count, path);
    const char *metadata = smoe_layer_file_metadata(checkpoint->single, out->key);
    if (pair) {
        take_pair(out, pair, r->layer);
    } else if (metadata) {
        out->text = metadata;
        out->source = "metadata";
    }
    return pair || metadata;
}

/* Fields where null says what a number does: none, as the models' own code has it. */
static bool null_is_zero(smoe_config_field field)
{
    return field == SMOE_CONFIG_SHARED_COUNT || field == SMOE_CONFIG_NUMBER;
}

/* GGUF: its metadata's, with the architecture before the key. */
static void find_metadata(const smoe_checkpoint *checkpoint, const smoe_config_row *row, setting *out)
{
    *out = (setting){.source = "metadata", .text = row->absent};
    snprintf(out->key, sizeof out->key, "%s.%s", checkpoint->table->model_type, row->key ? row->key : "format");
    const smoe_layer_file *file = checkpoint->single;
    const smoe_file_pair *pair = row->key ? smoe_file_find_pair(file->metadata, file->metadata_count, out->key) : NULL;
    if (pair) {
        out->text = pair->value;
        out->no_scalar = !pair->value;
    }
}

static void find_setting(const smoe_checkpoint_reading *r, const smoe_config_row *row, setting *out)
{
    if (r->checkpoint->gguf) {
        find_metadata(r->checkpoint, row, out);
        return;
    }
    *out = (setting){.source = SMOE_CHECKPOINT_CONFIG, .key = "format", .text = row->absent};
    bool found = false;
    for (const char *key = row->key; key && !found;) {
        const size_t size = strcspn(key, "|");
        found = find_key(r, key, size, out);
        key = key[size] ? key + size + 1 : NULL;
    }
    if (row->key && !found)
        snprintf(out->key, sizeof out->key, "%.*s", (int)strcspn(row->key, "|"), row->key);
    if (out->null && null_is_zero(row->field)) {
        out->text = "0";
        out->no_scalar = false;
    }
}

static smoe_result refuse(const smoe_checkpoint_reading *r, const setting *s, smoe_result result, const char *rule)
{
    return smoe_file_fail(&r->checkpoint->host, result, "%s: %s is \"%.40s\", but must be %s", s->source, s->key,
                          s->text, rule);
}

static smoe_result read_count(const smoe_checkpoint_reading *r, const setting *s, uint32_t largest, uint32_t *out)
{
    uint64_t value;
    if (!smoe_file_parse_integer(s->text, &value) || value < 1 || value > largest) {
        char rule[64];
        snprintf(rule, sizeof rule, "a whole number from 1 to %u", largest);
        return refuse(r, s, SMOE_ERROR_FILE, rule);
    }
    *out = (uint32_t)value;
    return SMOE_SUCCESS;
}

static smoe_result agree(const smoe_checkpoint_reading *r, const setting *s, uint64_t length)
{
    uint64_t value;
    if (smoe_file_parse_integer(s->text, &value) && value == length)
        return SMOE_SUCCESS;
    return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                          "%s: %s is \"%.40s\", but the tensors of layer %u have %llu", s->source, s->key, s->text,
                          r->layer, (unsigned long long)length);
}

/* Several shared experts lie in one. Files are lenient about its width, which a setting of its own may give. */
static smoe_result agree_shared(const smoe_checkpoint_reading *r, const setting *s)
{
    const bool there = r->out->plan.shared_hidden > 0;
    uint64_t count;
    if (smoe_file_parse_integer(s->text, &count) && (count > 0) == there)
        return SMOE_SUCCESS;
    return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                          "%s: %s is \"%.40s\", but layer %u has %s shared expert", s->source, s->key, s->text,
                          r->layer, there ? "a" : "no");
}

static smoe_result read_renormalize(smoe_checkpoint_reading *r, const setting *s)
{
    smoe_plan_desc *plan = &r->out->plan;
    if (strcmp(s->text, "true") == 0 || strcmp(s->text, "True") == 0)
        plan->renormalize = true;
    else if (strcmp(s->text, "false") == 0 || strcmp(s->text, "False") == 0)
        plan->renormalize = false;
    else if (strcmp(s->text, SMOE_CONFIG_TUTEL_RULE) == 0)
        plan->renormalize = plan->top_k > 1 || r->slots[SMOE_SLOT_BAND].there;
    else
        return refuse(r, s, SMOE_ERROR_FILE, "true or false");
    return SMOE_SUCCESS;
}

/* Whether the file has a selection bias must be what the setting says. */
static smoe_result agree_bias(const smoe_checkpoint_reading *r, const setting *s)
{
    const bool there = r->slots[SMOE_SLOT_SELECTION_BIAS].there;
    if (strcmp(s->text, there ? "true" : "false") == 0)
        return SMOE_SUCCESS;
    return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                          "%s: %s is \"%.40s\", but layer %u has %s selection bias", s->source, s->key, s->text,
                          r->layer, there ? "a" : "no");
}

/* DeepSeek's names. Other methods are other functions. */
static smoe_result read_group_method(smoe_checkpoint_reading *r, const setting *s)
{
    r->groupless = strcmp(s->text, "greedy") == 0;
    if (strcmp(s->text, "group_limited_greedy") == 0)
        r->out->plan.group_score = SMOE_GROUP_SCORE_MAX;
    else if (!r->groupless)
        return refuse(r, s, SMOE_ERROR_UNSUPPORTED, "greedy or group_limited_greedy");
    return SMOE_SUCCESS;
}

static smoe_result read_number(smoe_checkpoint_reading *r, const smoe_config_row *row, const setting *s)
{
    const smoe_plan_number *number = smoe_plan_number_get(0);
    for (uint32_t i = 1; strcmp(number->name, row->number) != 0; i++)
        number = smoe_plan_number_get(i);
    double value;
    if (!smoe_file_parse_number(s->text, &value))
        return refuse(r, s, SMOE_ERROR_FILE, number->rule);
    if (!number->shared || r->out->plan.shared_hidden > 0)
        smoe_plan_number_set(number, &r->out->plan, (float)value);
    return SMOE_SUCCESS;
}

static smoe_result read_shared_sum(const smoe_checkpoint_reading *r, const setting *s)
{
    return r->out->plan.shared_hidden == 0 || strcmp(s->text, "sum") == 0 ? SMOE_SUCCESS
                                                                          : refuse(r, s, SMOE_ERROR_UNSUPPORTED, "sum");
}

static bool is_value(const char *text, const char *must, size_t size)
{
    char one[48];
    double is, value;
    snprintf(one, sizeof one, "%.*s", (int)size, must);
    const bool numbers = smoe_file_parse_number(one, &value) && smoe_file_parse_number(text, &is);
    return numbers ? is == value : strcmp(text, one) == 0;
}

/* must: "a", or "a|b" where both mean the same function; the text itself where the setting is missing */
static smoe_result read_exactly(const smoe_checkpoint_reading *r, const setting *s, const char *must)
{
    bool good = s->text == must;
    for (const char *at = must; at && !good;) {
        const size_t size = strcspn(at, "|");
        good = is_value(s->text, at, size);
        at = at[size] ? at + size + 1 : NULL;
    }
    return good ? SMOE_SUCCESS : refuse(r, s, SMOE_ERROR_UNSUPPORTED, must);
}

static smoe_result read_scale(smoe_checkpoint_reading *r, const setting *s)
{
    const smoe_forward_number *number = smoe_forward_number_find("scale");
    double value;
    if (!smoe_file_parse_number(s->text, &value) || !smoe_forward_number_allows(number, (float)value))
        return refuse(r, s, SMOE_ERROR_FILE, number->rule);
    if (value == 0 && r->checkpoint->gguf) /* none, as llama.cpp has it */
        value = 1;
    smoe_forward_number_set(number, &r->out->params, (float)value);
    return SMOE_SUCCESS;
}

static smoe_result read_gate(smoe_checkpoint_reading *r, const setting *s)
{
    char known[SMOE_NAME_LIST_SIZE];
    if (smoe_gate_find(s->text, &r->out->plan.gate))
        return SMOE_SUCCESS;
    smoe_gate_list(known);
    return refuse(r, s, SMOE_ERROR_UNSUPPORTED, known);
}

/* Source: llama_expert_gating_func_type. 3 is the softmax of the k best logits: that of all, renormalised. A softmax
 * with selection bias is a gate of its own; files from before the key was there do not say whether theirs is one. */
static smoe_result read_gate_number(smoe_checkpoint_reading *r, const setting *s, bool written)
{
    smoe_plan_desc *plan = &r->out->plan;
    const bool bias = r->slots[SMOE_SLOT_SELECTION_BIAS].there;
    uint64_t number;
    if (!smoe_file_parse_integer(s->text, &number) || number < 1 || number > 4 || (number == 3 && bias))
        return refuse(r, s, SMOE_ERROR_UNSUPPORTED,
                      "1 (softmax), 2 (sigmoid), 3 (softmax of the chosen, without "
                      "selection bias) or 4 (root of softplus)");
    if (bias && number == 1 && !written)
        return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                              "metadata: %s is missing, and layer %u has a selection bias: its gate is not known",
                              s->key, r->layer);
    const smoe_gate gates[] = {bias ? SMOE_GATE_SOFTMAX_BIAS : SMOE_GATE_SOFTMAX, SMOE_GATE_SIGMOID, SMOE_GATE_SOFTMAX,
                               SMOE_GATE_SQRT_SOFTPLUS};
    plan->gate = gates[number - 1];
    plan->renormalize = plan->renormalize || number == 3;
    return SMOE_SUCCESS;
}

static smoe_result read_activation(smoe_checkpoint_reading *r, const setting *s)
{
    char known[SMOE_NAME_LIST_SIZE];
    if (smoe_activation_find(s->text, &r->out->plan.activation))
        return SMOE_SUCCESS;
    smoe_activation_list(known);
    return refuse(r, s, SMOE_ERROR_UNSUPPORTED, known);
}

static smoe_result apply(smoe_checkpoint_reading *r, const smoe_config_row *row, const setting *s)
{
    smoe_plan_desc *plan = &r->out->plan;
    switch (row->field) {
    case SMOE_CONFIG_TOP_K: return read_count(r, s, plan->expert_count, &plan->top_k);
    case SMOE_CONFIG_RENORMALIZE: return read_renormalize(r, s);
    case SMOE_CONFIG_SCALE: return read_scale(r, s);
    case SMOE_CONFIG_ACTIVATION: return read_activation(r, s);
    case SMOE_CONFIG_SCORE: return read_gate(r, s);
    case SMOE_CONFIG_SCORE_NUMBER: return read_gate_number(r, s, s->text != row->absent);
    case SMOE_CONFIG_GROUPS: return read_count(r, s, SMOE_MAX_EXPERTS, &plan->group_count);
    case SMOE_CONFIG_TOP_GROUPS: return read_count(r, s, SMOE_MAX_EXPERTS, &plan->top_groups);
    case SMOE_CONFIG_GROUP_METHOD: return read_group_method(r, s);
    case SMOE_CONFIG_NUMBER: return read_number(r, row, s);
    case SMOE_CONFIG_EXPERTS: return agree(r, s, r->axes[SMOE_AXIS_E]);
    case SMOE_CONFIG_MODEL: return agree(r, s, r->axes[SMOE_AXIS_D]);
    case SMOE_CONFIG_HIDDEN: return agree(r, s, r->axes[SMOE_AXIS_H]);
    case SMOE_CONFIG_SHARED_WIDTH: return agree(r, s, plan->shared_hidden);
    case SMOE_CONFIG_SHARED_COUNT: return agree_shared(r, s);
    case SMOE_CONFIG_SHARED_SUM: return read_shared_sum(r, s);
    case SMOE_CONFIG_SELECTION_BIAS: return agree_bias(r, s);
    case SMOE_CONFIG_EXACTLY: return read_exactly(r, s, row->absent);
    case SMOE_CONFIG_NONE: return refuse(r, s, SMOE_ERROR_UNSUPPORTED, "null");
    case SMOE_CONFIG_END: break;
    }
    return SMOE_SUCCESS;
}

static bool only_repeats(smoe_config_field field)
{
    return field == SMOE_CONFIG_EXPERTS || field == SMOE_CONFIG_MODEL || field == SMOE_CONFIG_HIDDEN ||
           field == SMOE_CONFIG_SHARED_WIDTH || field == SMOE_CONFIG_NONE;
}

/* Settings that nothing asks for. */
static bool is_idle(const smoe_checkpoint_reading *r, smoe_config_field field)
{
    return r->groupless && (field == SMOE_CONFIG_GROUPS || field == SMOE_CONFIG_TOP_GROUPS);
}

/* An option stands in for the row; true where there is one. */
static bool apply_option(smoe_checkpoint_reading *r, const smoe_config_row *row)
{
    const smoe_checkpoint_options *options = r->options;
    if (row->field == SMOE_CONFIG_TOP_K && options && options->top_k) {
        r->out->plan.top_k = options->top_k;
        return true;
    }
    if (row->field == SMOE_CONFIG_ACTIVATION && options && options->activation) {
        r->out->plan.activation = *options->activation;
        return true;
    }
    return false;
}

/* A floor or an addend is of renormalised weights only. */
static void drop_divisors(smoe_plan_desc *plan)
{
    if (!plan->renormalize)
        plan->renormalize_floor = plan->renormalize_add = 0.0f;
}

/* What rows cannot know of one another. */
static smoe_result check_plan(smoe_checkpoint_reading *r)
{
    const smoe_file_host *host = &r->checkpoint->host;
    smoe_plan_desc *plan = &r->out->plan;
    const bool own_k = r->options && r->options->top_k, own_activation = r->options && r->options->activation;
    char reason[SMOE_REASON_SIZE];
    if (plan->top_k > plan->expert_count)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "options.top_k is %u, but layer %u has %u experts",
                              plan->top_k, r->layer, plan->expert_count);
    drop_divisors(plan);
    if (smoe_plan_numbers_check(plan, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, own_activation ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_ERROR_FILE, "layer %u's %s",
                              r->layer, reason);
    const bool gguf = r->checkpoint->gguf;
    smoe_result result = smoe_file_check_groups(host, gguf ? "metadata: expert_group_count" : "config.json: n_group",
                                                gguf ? "expert_group_used_count" : "topk_group", plan->expert_count,
                                                plan->group_count, plan->top_groups, own_k ? 0 : plan->top_k);
    if (result == SMOE_SUCCESS && gguf && plan->group_count > 1 && plan->gate == SMOE_GATE_SOFTMAX)
        result = smoe_file_fail(host, SMOE_ERROR_UNSUPPORTED,
                                "layer %u has groups of experts and a softmax, which models rank in different ways",
                                r->layer);
    if (plan->group_count <= 1)
        plan->group_count = plan->top_groups = 0;
    const uint32_t reachable =
        plan->group_count ? plan->expert_count / plan->group_count * plan->top_groups : plan->expert_count;
    if (result == SMOE_SUCCESS && plan->top_k > reachable)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "options.top_k is %u, but the groups chosen in layer %u have %u experts", plan->top_k,
                              r->layer, reachable);
    return result;
}

smoe_result smoe_layer_configure(smoe_checkpoint_reading *r)
{
    smoe_plan_desc *plan = &r->out->plan;
    plan->d_model = (uint32_t)r->axes[SMOE_AXIS_D];
    plan->d_hidden = (uint32_t)r->axes[SMOE_AXIS_H];
    plan->expert_count = (uint32_t)r->axes[SMOE_AXIS_E];
    plan->projection_width = (uint32_t)r->axes[SMOE_AXIS_P];
    plan->shared_hidden = (uint32_t)r->axes[SMOE_AXIS_S];
    plan->shared_gate = r->slots[SMOE_SLOT_SHARED_GATE].there;
    plan->gated = r->slots[SMOE_SLOT_W3].there;
    plan->router = r->slots[SMOE_SLOT_SIMILARITY].there ? SMOE_ROUTER_COSINE : SMOE_ROUTER_LINEAR;
    plan->max_tokens = 1;
    r->out->params = smoe_forward_defaults();
    r->out->params.token_count = 1;
    smoe_result result = SMOE_SUCCESS;
    for (const smoe_config_row *row = r->checkpoint->table->config;
         result == SMOE_SUCCESS && row->field != SMOE_CONFIG_END; row++) {
        setting s;
        find_setting(r, row, &s);
        if (apply_option(r, row) || is_idle(r, row->field) || (!s.text && only_repeats(row->field)))
            continue;
        if (s.no_scalar && row->field == SMOE_CONFIG_NONE)
            continue;
        if (s.no_scalar)
            result = smoe_file_fail(
                &r->checkpoint->host, SMOE_ERROR_FILE,
                "%s: %s is null, or no string, number, true or false: no default stands in for that", s.source, s.key);
        else if (!s.text) /* only what an option can give is without a default */
            result = smoe_file_fail(
                &r->checkpoint->host, SMOE_ERROR_INVALID_ARGUMENT,
                "%s has %s: options.top_k and options.activation give what a checkpoint leaves open",
                r->checkpoint->gguf ? "no metadata" : "neither config.json nor the file's metadata", s.key);
        else
            result = apply(r, row, &s);
    }
    return result == SMOE_SUCCESS ? check_plan(r) : result;
}
