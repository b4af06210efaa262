/* leet.h - exponentially decaying causal linear attention, the public C contract of libleet.so.
 *
 * The operator, per batch b and query head h, with a state S in R^{dk x dv}, S_0 = initial state or 0:
 *
 *     S_t = a_t * S_{t-1} + k_t v_t^T          o_t = scale * q_t^T S_t
 *
 * a_t in [0,1] is the decay; the current token has weight 1. k_t and v_t come from key/value head h / (H / Hkv).
 *
 * Rules of this header:
 *   - Every function returns a leet_status. Nothing aborts, prints or throws.
 *   - A failing call leaves every output array untouched, with one exception: after LEET_OUT_OF_MEMORY or a 4xxx status
 *     of a call on a CUDA device that had begun to write, o may be written in part (final_state in host memory never
 *     is), and so may every output in device memory, which the kernels write in place. With a stream of the caller's
 *     such a failure shows where that is waited for. LEET_DEVICE_AUTO has no such case: the CPU then writes all of o.
 *   - Every function may be called from any thread, several at once, as long as the calls write different memory.
 *   - Nothing allocated here is ever handed to the caller, so there is nothing to free.
 *   - Structs grow at the end only. `struct_size` tells the library which fields the caller knows.
 *   - Sizes and strides count elements, not bytes, unless the name says bytes.
 */
#ifndef LEET_H
#define LEET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEET_ABI_VERSION 1
#define LEET_VERSION "0.1.0"

#if defined(__GNUC__)
#define LEET_API __attribute__((visibility("default")))
#else
#define LEET_API
#endif

/* Status codes are pinned for ever and grouped by thousands: 1xxx the caller's arguments, 2xxx not supported,
 * 3xxx host resources, 4xxx device and driver, 9xxx a defect of this library. Clients that meet a code they do not
 * know go by its group. The list is cuda/src/status.def. */
typedef int32_t leet_status;
enum {
  LEET_OK = 0,
  LEET_INVALID_POINTER = 1001,
  LEET_INVALID_STRUCT_SIZE = 1002,
  LEET_INVALID_METHOD = 1003,
  LEET_INVALID_DEVICE = 1004,
  LEET_INVALID_DTYPE = 1005,
  LEET_INVALID_LAYOUT = 1006,
  LEET_INVALID_SHAPE = 1007,
  LEET_INVALID_STRIDE = 1008,
  LEET_INVALID_LENGTH = 1009,
  LEET_INVALID_DECAY = 1010,
  LEET_INVALID_SCALE = 1011,
  LEET_INVALID_THREADS = 1012,
  LEET_INVALID_FLAGS = 1013,
  LEET_INVALID_CU_SEQLENS = 1014,
  LEET_INVALID_ALIAS = 1015,
  LEET_INVALID_ALIGNMENT = 1016,
  LEET_INVALID_INDEX = 1017,
  LEET_SIZE_OVERFLOW = 1018,
  LEET_UNSUPPORTED_DEVICE = 2001,
  LEET_UNSUPPORTED_SHAPE = 2002,
  LEET_UNSUPPORTED_ISA = 2003,
  LEET_OUT_OF_MEMORY = 3001,
  LEET_NO_DRIVER = 4001,
  LEET_NO_DEVICE = 4002,
  LEET_DRIVER_TOO_OLD = 4003,
  LEET_DEVICE_UNAVAILABLE = 4004,
  LEET_DEVICE_OUT_OF_MEMORY = 4005,
  LEET_BAD_KERNEL_IMAGE = 4006,
  LEET_LAUNCH_FAILED = 4007,
  LEET_DRIVER_ERROR = 4008,
  LEET_INTERNAL = 9001
};

/* Algorithms, listed with their papers in cuda/src/methods.def. */
enum {
  LEET_METHOD_AUTO = 0,
  LEET_METHOD_VANILLA = 1,
  LEET_METHOD_RECURRENT = 2,
  LEET_METHOD_BLOCK = 3,
  LEET_METHOD_RECURSION = 4,
  LEET_METHOD_LIGHTNING = 5,
  LEET_METHOD_FLEET = 6,
  LEET_METHOD_FLASH = 7
};

/* AUTO takes the device that the cost model predicts to be the fastest with the method that would run there, copies
 * over the bus included, out of the first of each kind that can do the problem. When the GPU it took then fails, for
 * whatever reason, the CPU does the call. device_used tells. No other value ever computes elsewhere than asked. */
enum { LEET_DEVICE_AUTO = 0, LEET_DEVICE_CPU = 1, LEET_DEVICE_CUDA = 2 };

/* Storage type of q, k, v and o. Accumulation, states and decays are float32 whatever the storage type. */
enum { LEET_F32 = 0, LEET_F16 = 1, LEET_BF16 = 2 };

/* How a_t is given, always as float32:
 *   NONE       a_t = 1, the decay pointer is NULL
 *   DECAY      [H] factors in [0,1]                a_t = decay[h]
 *   LOG_DECAY  [H] natural logarithms <= 0         a_t = exp(decay[h])
 *   LOG_GATES  [B,H,N] natural logarithms <= 0     a_t = exp(decay[b,h,t]); -inf is a_t = 0 */
enum { LEET_DECAY_NONE = 0, LEET_DECAY_FACTOR = 1, LEET_DECAY_LOG = 2, LEET_DECAY_LOG_GATES = 3 };

/* leet_params.flags.
 *   DEVICE_POINTERS  every array but cu_seqlens is memory of the CUDA device in `device`, used in place; values on the
 *                    device are not checked
 *   HOST_DECAY       with DEVICE_POINTERS: the decay is host memory all the same. Its values are checked, and it is
 *                    copied to the device for the call; the caller may change it as soon as the call returns
 *   MODEL_H100       leet_estimate with LEET_DEVICE_CUDA only, and alone: models an H100 SXM from its published
 * figures, with the arrays in its memory; needs no driver */
enum { LEET_FLAG_DEVICE_POINTERS = 1, LEET_FLAG_HOST_DECAY = 2, LEET_FLAG_MODEL_H100 = 4 };

/* Order of the axes of dense arrays, used where the three strides of an array are all zero. */
enum { LEET_LAYOUT_BHND = 0, LEET_LAYOUT_BNHD = 1 };

/* One problem. Zero-initialise it, set struct_size, shape and scale; zeros mean: auto method, auto device, f32, no
 * decay, dense bhnd arrays, all processors. */
typedef struct leet_params {
  uint32_t struct_size; /* bytes; sizeof(leet_params) as the caller compiled it, of this version or an earlier one */
  int32_t method;
  int32_t device;
  int32_t device_index; /* which one of that kind, from 0 */
  int32_t dtype;
  int32_t decay_form;
  int32_t layout;
  int32_t threads;     /* at most this many, 0 = one per processor; the result has the same bits for every number */
  uint32_t flags;      /* LEET_FLAG_* or 0 */
  int32_t method_used; /* out: the method that ran; what auto chose */
  double scale;        /* multiplies o; any number that is finite as float32 */

  int64_t B;   /* batch */
  int64_t H;   /* query heads */
  int64_t Hkv; /* key/value heads, divides H */
  int64_t N;   /* tokens per batch row; 0 is allowed */
  int64_t dk;  /* key dimension, 1..512 */
  int64_t dv;  /* value dimension, 1..512 */
  int64_t S;   /* sequences in cu_seqlens when B = 1 and the batch is ragged; 0 = not ragged */

  /* Distance in elements between neighbours along batch, head, time; the innermost axis is contiguous.
   * All three zero = dense in `layout`. */
  int64_t q_stride[3];    /* q [B,H,N,dk] */
  int64_t k_stride[3];    /* k [B,Hkv,N,dk] */
  int64_t v_stride[3];    /* v [B,Hkv,N,dv] */
  int64_t o_stride[3];    /* o [B,H,N,dv] */
  int64_t gate_stride[3]; /* log_gates [B,H,N]; dense means [B,H,N] for bhnd and [B,N,H] for bnhd */

  /* Elements the caller has behind each pointer. 0 = not stated, and then the shape is trusted; otherwise a shape that
   * reaches past the end is refused. */
  uint64_t q_len, k_len, v_len, o_len, decay_len, cu_seqlens_len, initial_state_len, final_state_len;

  char message[256]; /* out: NUL-terminated; on failure names the argument, what was expected and what came */

  /* With DEVICE_POINTERS: the CUstream (or cudaStream_t) to queue the work on, and the call returns without waiting for
   * it; 0 = a stream of the library, and the call waits. 0 otherwise. */
  uint64_t stream;

  int32_t device_used;       /* out: the device that ran, LEET_DEVICE_CPU or LEET_DEVICE_CUDA; what auto chose */
  int32_t device_index_used; /* out: which one of that kind */
} leet_params;

/* o = the operator applied to q, k, v.
 *
 *   p              the problem; method_used, device_used, device_index_used and message are written
 *   q, k, v        inputs of p->dtype, shapes as above, aligned to their element
 *   decay          float32 as p->decay_form says, or NULL for LEET_DECAY_NONE
 *   cu_seqlens     host int64 [S+1], 0 = first <= ... <= last = N, or NULL when S = 0. Sequence s is the tokens
 *                  cu_seqlens[s] .. cu_seqlens[s+1]-1; each starts from its own initial state
 *   initial_state  float32 [B,H,dk,dv] ([S,H,dk,dv] when ragged), or NULL for zeros
 *   o              output of p->dtype; every element of its shape is written, nothing else
 *   final_state    float32, shape of initial_state, or NULL when not wanted. May be the same array as initial_state
 *
 * o overlaps no input and no state. The pointers are host memory, for a CUDA device too, unless flags say otherwise.
 * The result is a pure function of the arguments: same bits for every number of threads and every run on one
 * instruction set. Errors: every 1xxx, LEET_UNSUPPORTED_*, LEET_OUT_OF_MEMORY; with LEET_DEVICE_CUDA every 4xxx. */
LEET_API leet_status leet_forward(leet_params *p, const void *q, const void *k, const void *v, const float *decay,
                                  const int64_t *cu_seqlens, const float *initial_state, void *o, float *final_state);

/* leet_forward on a thread of the library: checks the arguments, starts and returns. Arguments as there; p and every
 * array must stay valid and untouched until leet_job_poll reports the end. The job frees itself then.
 *   job   out: handle for leet_job_poll, never 0
 * A failed check is returned at once and starts nothing. */
LEET_API leet_status leet_forward_start(leet_params *p, const void *q, const void *k, const void *v, const float *decay,
                                        const int64_t *cu_seqlens, const float *initial_state, void *o,
                                        float *final_state, uint64_t *job);

/* Asks for the end of a job, waiting at most `wait_us` microseconds (0 = not at all, -1 = until it ends).
 *   done     out: 1 when it has ended, and the handle is then no longer valid; 0 otherwise
 *   result   out: what the call without _start would have returned, once done
 * LEET_INVALID_INDEX for a handle that is not a running job. */
LEET_API leet_status leet_job_poll(uint64_t job, int64_t wait_us, int32_t *done, leet_status *result);

/* What a problem costs with p->method (auto: with the method that auto chooses). */
typedef struct leet_cost {
  uint32_t struct_size; /* bytes */
  int32_t method;       /* out: as method_used */
  double flops;         /* out: floating point operations, a fused multiply-add counts as two */
  double bytes;         /* out: least traffic with memory: inputs and states read once, outputs written once */
  double workspace;     /* out: bytes of scratch memory beside the arrays, all threads together */
  double seconds;       /* out: predicted by the cost model with p->threads; with the copies over the bus where host
                           arrays go to a device of its own memory */
} leet_cost;

/* Checks p as leet_forward does, as far as that goes without the arrays, and fills *cost; device_used and
 * device_index_used tell what the figures are for. Runs nothing. */
LEET_API leet_status leet_estimate(leet_params *p, leet_cost *cost);

typedef struct leet_device_info {
  uint32_t struct_size; /* bytes */
  int32_t device;       /* out: LEET_DEVICE_CPU or LEET_DEVICE_CUDA */
  int32_t device_index; /* out */
  int32_t units;        /* out: processors, or multiprocessors of a GPU */
  uint64_t memory;      /* out: bytes of memory of the device */
  char name[128];       /* out: as its maker calls it */
  char isa[32];         /* out: the instruction set in use: scalar, avx2, avx512, neon, sm_90 ... */
} leet_device_info;

/* The index-th device; the CPU is number 0. LEET_INVALID_INDEX past the last one. */
LEET_API leet_status leet_device_get(int32_t index, leet_device_info *info);

typedef struct leet_method_info {
  uint32_t struct_size; /* bytes */
  int32_t method;       /* out: LEET_METHOD_* */
  char name[16];        /* out: its id in every interface of this library */
  char text[236];       /* out: one line on the algorithm and its source */
} leet_method_info;

/* The index-th method, without auto. LEET_INVALID_INDEX past the last one. */
LEET_API leet_status leet_method_get(int32_t index, leet_method_info *info);

/* Writes "NAME: meaning" of a status, cut to `bytes` including the NUL. LEET_INVALID_INDEX for an unknown code. */
LEET_API leet_status leet_status_text(leet_status status, char *text, int32_t bytes);

/* Writes the version and what was built in, such as "0.1.0 cpu(scalar,avx2,avx512)", and LEET_ABI_VERSION. */
LEET_API leet_status leet_version(char *text, int32_t bytes, int32_t *abi);

/* Bytes of scratch memory that the library keeps for its next calls. */
LEET_API leet_status leet_workspace_bytes(uint64_t *bytes);

/* Gives that scratch memory back; the next call allocates again. Safe while other calls run: theirs stays. */
LEET_API leet_status leet_workspace_release(void);

/* Memory of a CUDA device, for calls with LEET_FLAG_DEVICE_POINTERS. Addresses are the driver's, of its primary
 * context, so that they and those of other CUDA libraries mix freely. `message` takes the reason of a failure, cut to
 * message_bytes including the NUL; NULL when not wanted. Errors: LEET_INVALID_POINTER, LEET_UNSUPPORTED_DEVICE and
 * every 4xxx. */
LEET_API leet_status leet_device_alloc(int32_t device_index, uint64_t bytes, uint64_t *address, char *message,
                                       int32_t message_bytes);

/* Frees what leet_device_alloc gave. Waits for work that still uses it. */
LEET_API leet_status leet_device_free(int32_t device_index, uint64_t address, char *message, int32_t message_bytes);

/* Copies `bytes` from host memory to the device, or back, and waits for the end. Work of leet_forward on the library's
 * stream is done by then; other streams are the caller's to wait for. */
LEET_API leet_status leet_device_write(int32_t device_index, uint64_t address, const void *from, uint64_t bytes,
                                       char *message, int32_t message_bytes);
LEET_API leet_status leet_device_read(int32_t device_index, void *to, uint64_t address, uint64_t bytes, char *message,
                                      int32_t message_bytes);

/* The same on a thread of the library: checks what can be checked at once, starts and returns. The host memory and
 * `message`, which is written at the end, must stay valid until leet_job_poll reports the end.
 *   job   out: handle for leet_job_poll, never 0 */
LEET_API leet_status leet_device_write_start(int32_t device_index, uint64_t address, const void *from, uint64_t bytes,
                                             char *message, int32_t message_bytes, uint64_t *job);
LEET_API leet_status leet_device_read_start(int32_t device_index, void *to, uint64_t address, uint64_t bytes,
                                            char *message, int32_t message_bytes, uint64_t *job);

/* Bytes that leet_device_alloc gave and leet_device_free did not take back, and what the device has free and in all. */
LEET_API leet_status leet_device_memory(int32_t device_index, uint64_t *allocated, uint64_t *free_bytes,
                                        uint64_t *total_bytes, char *message, int32_t message_bytes);

/* What the processor can do at most, measured now in some tenths of a second: the median of several passes, on at most
 * `threads` threads (0 = one per processor), with the instruction set in use.
 *   flops_per_s   out: float32 operations per second of multiply-adds in registers; one multiply-add counts as two
 *   bytes_per_s   out: bytes read plus bytes written per second where every element of 128 MiB is updated in place
 * Errors: LEET_INVALID_POINTER, LEET_INVALID_THREADS, LEET_UNSUPPORTED_ISA, LEET_OUT_OF_MEMORY; nothing is written
 * then. */
LEET_API leet_status leet_machine_peak(int32_t threads, double *flops_per_s, double *bytes_per_s);

#ifdef __cplusplus
}
#endif
#endif
