/* smoe's helper library: owns a Vulkan device for programs that have none of their own, with blocking calls on host arrays.
 *
 * It is built on the public API of smoe.h; apps that own a VkDevice use smoe.h directly. The general rules of smoe.h hold
 * (errors, log, ownership), with one exception, thread safety: a smoe_device and the objects made from it must be used by one
 * thread at a time; different smoe_devices are independent. */
#ifndef SMOE_DEVICE_H
#define SMOE_DEVICE_H

#include "smoe.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- devices ------------------------------------------------------------------------------------------------------- */

#define SMOE_DEVICE_THREADS 16u

typedef struct smoe_device_desc {
    /* Which device: NULL or "best" (discrete, then integrated, then other GPU, then CPU; usable ones only), an index in the order
     * of smoe_device_list ("0"), a UUID as 32 hexadecimal digits, or a part of the device's name, case ignored (first match). */
    const char *selector;
    bool validation;              /* run under VK_LAYER_KHRONOS_validation with synchronization validation; messages go to the log
                                     as errors and warnings and are counted. The layer missing: SMOE_ERROR_UNSUPPORTED */
    uint32_t masked_capabilities; /* as in smoe_context_desc; no driver of the system is asked for masked matrices */
    const smoe_device_info *act_as; /* as in smoe_context_desc */
    const void *pipeline_cache;   /* as in smoe_context_desc */
    size_t pipeline_cache_size;
    uint64_t slice_work;          /* as in smoe_context_desc: each slice of a forward is a submission of its own */
    uint32_t thread_count;        /* that smoe_device_layer_create converts weights on, the calling one among them; 0 = as many as the
                                     process has processors. At most SMOE_DEVICE_THREADS are taken. They live during the call, and call
                                     neither the log nor the allocator */
    PFN_vkGetInstanceProcAddr get_instance_proc_addr; /* NULL = the system's Vulkan loader */
    const smoe_allocator *allocator;                  /* NULL = malloc and free */
    const smoe_log *log;                              /* NULL = none */
} smoe_device_desc;

typedef struct smoe_device smoe_device;

/* Lists the physical devices, usable or not. With infos == NULL, *count receives their number; else at most *count are written
 * and *count becomes the number written. get_instance_proc_addr as in smoe_device_desc; log may be NULL. With infos every driver is asked
 * for its cooperative matrices, except for those with a quirk against it.
 * Errors: INVALID_ARGUMENT, NO_DEVICE (no loader; a loader without devices gives count 0), OUT_OF_HOST_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_device_list(PFN_vkGetInstanceProcAddr get_instance_proc_addr, const smoe_log *log, uint32_t *count,
                                      smoe_device_info *infos);

/* Which of `count` devices a selector names, as in smoe_device_desc; count where none. For apps that own a VkDevice and choose as the other
 * programs do: those that do not suit them they leave out, or mark unusable, before. infos NULL: count. Thread safe. */
SMOE_API uint32_t smoe_device_find(const smoe_device_info *infos, uint32_t count, const char *selector);

/* desc may be NULL: the best device. Errors: INVALID_ARGUMENT, NO_DEVICE (nothing matches, or the match is not usable: the log
 * line has the reason), UNSUPPORTED (validation), OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, VULKAN. */
SMOE_API smoe_result smoe_device_create(const smoe_device_desc *desc, smoe_device **out);
SMOE_API void smoe_device_destroy(smoe_device *device);

/* The device's context, for plans and selection. Owned by the device; NULL for NULL. */
SMOE_API const smoe_context *smoe_device_context(const smoe_device *device);

/* The Vulkan objects inside, for programs that add work of their own. Owned by the device. */
typedef struct smoe_device_handles {
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    VkInstance instance;
    VkPhysicalDevice physical_device;
    VkDevice device;
    VkQueue queue;
    uint32_t queue_family;
} smoe_device_handles;
/* Errors: INVALID_ARGUMENT. */
SMOE_API smoe_result smoe_device_get_handles(const smoe_device *device, smoe_device_handles *out);

/* Warnings and errors that the validation layers have given for this device so far; 0 without validation. */
SMOE_API uint32_t smoe_device_validation_count(const smoe_device *device);

/* ---- layers on host arrays ----------------------------------------------------------------------------------------- */

typedef struct smoe_device_layer smoe_device_layer;

/* A plan, a layer and a binding with all their memory. The weights are copied to the device during the call and not needed afterwards.
 * Memory that is full is not the end: a buffer without room in the device's own memory goes to the next memory type that Vulkan offers for
 * it, a warning in the log names the buffer and where it is, and forwards are slower. OUT_OF_DEVICE_MEMORY comes where no type has room.
 * Matrices whose type is not the plan's are converted, rows at a time on smoe_device_desc.thread_count threads: round to nearest even, NaN
 * to NaN; those of type SMOE_TYPE_SOURCES exactly (weights_source.h). Errors: those of smoe_plan_create, smoe_layer_create and
 * smoe_weights_convert; INVALID_ARGUMENT for a missing or superfluous array. */
SMOE_API smoe_result smoe_device_layer_create(smoe_device *device, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                                              smoe_device_layer **out);
SMOE_API void smoe_device_layer_destroy(smoe_device_layer *layer);

/* The layer's plan. Owned by the layer; NULL for NULL. */
SMOE_API const smoe_plan *smoe_device_layer_plan(const smoe_device_layer *layer);

/* Nanoseconds of device time per stage (0 where the device has no timestamps), and of the whole forward on a clock of the host's that
 * is never set back, from before the submission until the wait ended. */
typedef struct smoe_timings {
    double stage[SMOE_STAGE_COUNT];
    double device_total, host_total;
} smoe_timings;

/* Where the plan has given_count, gives the routing of the forwards that follow, until the next call: ids [T,R], and weights [T,R] exactly
 * where it has given_weights, as smoe_binding_desc has them; both are copied. T = token_count, at most the plan's max_tokens; forwards take
 * up to as many tokens. After a failure no routing is given.
 * Errors: INVALID_ARGUMENT (also: the plan has no given_count), OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, DEVICE_LOST, VULKAN. */
SMOE_API smoe_result smoe_device_layer_give_routing(smoe_device_layer *layer, uint32_t token_count, const uint32_t *ids,
                                                    const float *weights);

/* y = layer(x), blocking. x: float32 [T,D]; y: float32 [T,D], NULL: only the routing, as smoe_route; report: NULL, or
 * SMOE_REPORT_STRIDE(max_active) * T words (report.h); timings: NULL, or filled. T = params->token_count: 0, or the plan's min_tokens ..
 * max_tokens.
 * Errors: INVALID_ARGUMENT (also: the plan has given_count, and no routing has been given for so many tokens), OUT_OF_HOST_MEMORY,
 * OUT_OF_DEVICE_MEMORY, DEVICE_LOST, VULKAN. */
SMOE_API smoe_result smoe_device_layer_forward(smoe_device_layer *layer, const smoe_forward_params *params, const float *x,
                                               float *y, uint32_t *report, smoe_timings *timings);

/* The router's logits of the last smoe_device_layer_forward, as it or repeats since have left them: float32 [T,E], T its token count;
 * the scores where its params had keep_scores. For tests and analysis: it copies them from the workspace each time it is called.
 * Errors: INVALID_ARGUMENT (a NULL argument, no forward yet, or the last one failed), UNSUPPORTED (the forward took several passes, and
 * only the last one's logits are left), OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, DEVICE_LOST, VULKAN. */
SMOE_API smoe_result smoe_device_layer_logits(smoe_device_layer *layer, float *logits);

/* Runs the forward `count` more times over the x of the last smoe_device_layer_forward and fills timings[count]: for measuring,
 * nothing is copied to or from the host. Where that was only the routing (y NULL), so are these. report: whether the report is written too.
 * Errors as above; INVALID_ARGUMENT before the first forward and after one that failed. */
SMOE_API smoe_result smoe_device_layer_repeat(smoe_device_layer *layer, const smoe_forward_params *params, bool report,
                                              uint32_t count, smoe_timings *timings);

/* Starts the layer's totals (smoe.h) over at zero. From the first call on every forward adds to them, also those of repeat, but not
 * calibration. After a failure there are none until it succeeds.
 * Errors: OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, INVALID_ARGUMENT (layer NULL), DEVICE_LOST, VULKAN. */
SMOE_API smoe_result smoe_device_layer_reset_totals(smoe_device_layer *layer);

/* The totals since the last reset. expert_tokens: NULL, or [E]. Errors: INVALID_ARGUMENT (a NULL argument, or never reset),
 * OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, DEVICE_LOST, VULKAN. */
SMOE_API smoe_result smoe_device_layer_totals(smoe_device_layer *layer, smoe_totals *out, uint64_t *expert_tokens);

/* Chooses eps for an existing model: the largest eps whose extra experts, those beyond the k best, average at most `extra` over the
 * T tokens of x (float32 [T,D], T = params->token_count, the plan's min_tokens .. max_tokens; one pass takes min_tokens too):
 *   extra(eps) = mean over t of #{e not among the k best : s[k] - s_e < eps}
 * before any cap (smoe's own; the paper's budget is extra = 0.5, arXiv 2606.19036). Exact on the batch: with the eps returned a forward
 * on this device runs that many extra experts and no more, with the next larger float32 it exceeds the budget. *eps: 0 (hard) where more
 * tokens tie than the budget allows, 1e30 where no band exceeds it. *mean, if not NULL: extra(*eps), at most `extra`. Non-finite tokens
 * count as tokens without extra experts, and so do experts that their groups leave out. params->eps, a, b, max_active and keep_scores are
 * not looked at; group_eps is. No expert runs and nothing is added to the totals, but the x and logits of the last forward are lost:
 * smoe_device_layer_logits and _repeat want another one first. A batch of several passes is routed twice, pass by pass, and is exact where
 * smoe_select_kernels gives the same routing kernels for one pass as for T (a pass of few tokens may have others).
 * Errors: INVALID_ARGUMENT (a NULL argument but mean; extra negative or not finite; no tokens, or fewer than min_tokens; the plan has
 * given_count: given routing has no band),
 * OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, DEVICE_LOST, VULKAN. */
SMOE_API smoe_result smoe_device_layer_calibrate(smoe_device_layer *layer, const smoe_forward_params *params, const float *x, double extra,
                                                 float *eps, double *mean);

#ifdef __cplusplus
}
#endif

#endif
