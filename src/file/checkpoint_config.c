/* What a checkpoint's configuration says about a layer, by the rows of its format. */
#include "checkpoint_internal.h"

#include <float.h>
#include <string.h>

/* A setting's value: as config.json has it, else the file's own metadata, else the row's own. */
typedef struct setting {
    const char *source, *key;
    const char *text; /* NULL: there is none */
    bool no_scalar;   /* config.json has null, or something else that has no text */
} setting;

static setting find_setting(const smoe_checkpoint *checkpoint, const smoe_config_row *row)
{
    setting s = {SMOE_CHECKPOINT_CONFIG, row->key ? row->key : "format", row->absent, false};
    const smoe_file_pair *pair =
        row->key ? smoe_file_find_pair(checkpoint->config.pairs, checkpoint->config.count, row->key) : NULL;
    const char *metadata = row->key ? smoe_layer_file_metadata(checkpoint->single, row->key) : NULL;
    if (pair) {
        s.text = pair->value;
        s.no_scalar = !pair->value;
    } else if (metadata) {
        s.text = metadata;
        s.source = "metadata";
    }
    if (s.no_scalar && row->field == SMOE_CONFIG_SHARED_COUNT) { /* null: none, as the models' own code has it */
        s.text = "0";
        s.no_scalar = false;
    }
    return s;
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

static smoe_result read_exactly(const smoe_checkpoint_reading *r, const setting *s, const char *must)
{
    double is, value;
    const bool numbers = smoe_file_parse_number(must, &value) && smoe_file_parse_number(s->text, &is);
    if (numbers ? is == value : strcmp(s->text, must) == 0)
        return SMOE_SUCCESS;
    return refuse(r, s, SMOE_ERROR_UNSUPPORTED, must);
}

static smoe_result read_scale(smoe_checkpoint_reading *r, const setting *s)
{
    const smoe_forward_number *number = smoe_forward_number_find("scale");
    double value;
    if (!smoe_file_parse_number(s->text, &value) || !smoe_forward_number_allows(number, (float)value))
        return refuse(r, s, SMOE_ERROR_FILE, number->rule);
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
    case SMOE_CONFIG_ACTIVATION:
        return read_activation(r, s);
    case SMOE_CONFIG_SCORE:
        return read_gate(r, s);
    case SMOE_CONFIG_GROUPS: return read_count(r, s, SMOE_MAX_EXPERTS, &plan->group_count);
    case SMOE_CONFIG_TOP_GROUPS: return read_count(r, s, SMOE_MAX_EXPERTS, &plan->top_groups);
    case SMOE_CONFIG_EXPERTS: return agree(r, s, r->axes[SMOE_AXIS_E]);
    case SMOE_CONFIG_MODEL: return agree(r, s, r->axes[SMOE_AXIS_D]);
    case SMOE_CONFIG_HIDDEN: return agree(r, s, r->axes[SMOE_AXIS_H]);
    case SMOE_CONFIG_SHARED_WIDTH: return agree(r, s, plan->shared_hidden);
    case SMOE_CONFIG_SHARED_COUNT: return agree_shared(r, s);
    case SMOE_CONFIG_EXACTLY: return read_exactly(r, s, row->absent);
    case SMOE_CONFIG_END: break;
    }
    return SMOE_SUCCESS;
}

static bool only_repeats(smoe_config_field field)
{
    return field == SMOE_CONFIG_EXPERTS || field == SMOE_CONFIG_MODEL || field == SMOE_CONFIG_HIDDEN ||
           field == SMOE_CONFIG_SHARED_WIDTH;
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
    if (smoe_plan_numbers_check(plan, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, own_activation ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_ERROR_FILE, "layer %u's %s",
                              r->layer, reason);
    const smoe_result result = smoe_file_check_groups(host, "config.json: n_group", "topk_group", plan->expert_count,
                                                      plan->group_count, plan->top_groups, own_k ? 0 : plan->top_k);
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
        const setting s = find_setting(r->checkpoint, row);
        if (apply_option(r, row) || (!s.text && only_repeats(row->field)))
            continue;
        if (s.no_scalar)
            result = smoe_file_fail(
                &r->checkpoint->host, SMOE_ERROR_FILE,
                "config.json: %s is null, or no string, number, true or false: no default stands in for that", s.key);
        else if (!s.text) /* only what an option can give is without a default */
            result = smoe_file_fail(
                &r->checkpoint->host, SMOE_ERROR_INVALID_ARGUMENT,
                "neither config.json nor the file's metadata has %s: options.top_k and options.activation give what "
                "a checkpoint leaves open",
                s.key);
        else
            result = apply(r, row, &s);
    }
    return result == SMOE_SUCCESS ? check_plan(r) : result;
}
