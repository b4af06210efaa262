#include "stage.h"

#include <string.h>

#include "../alloc.h"
#include "../check.h"
#include "copies.h"
#include "on_device.h"
#include "parts.h"

namespace leet {
namespace gpu {

namespace {

uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Bytes of each array of a part on the device. */
struct Room {
  uint64_t q, k, v, o, decay, lengths, state;

  uint64_t sum() const { return q + k + v + o + decay + lengths + state; }
  void include(const Room &r) {
    q = larger(q, r.q);
    k = larger(k, r.k);
    v = larger(v, r.v);
    o = larger(o, r.o);
    decay = larger(decay, r.decay);
    lengths = larger(lengths, r.lengths);
    state = larger(state, r.state);
  }
};

/* x: the part as a problem of its own. */
Room room_of(const Problem &x, bool ragged) {
  const uint64_t tokens = (uint64_t)(x.B * x.N), bytes = (uint64_t)dtype_bytes(x.dtype);
  Room r;
  r.q = tokens * (uint64_t)(x.H * x.dk) * bytes;
  r.k = tokens * (uint64_t)(x.Hkv * x.dk) * bytes;
  r.v = tokens * (uint64_t)(x.Hkv * x.dv) * bytes;
  r.o = tokens * (uint64_t)(x.H * x.dv) * bytes;
  r.decay = (uint64_t)x.H * 4;
  if (x.decay_form == LEET_DECAY_LOG_GATES) r.decay *= tokens;
  if (x.decay_form == LEET_DECAY_NONE) r.decay = 0;
  r.lengths = ragged ? (uint64_t)(x.sequences + 1) * 8 : 0;
  r.state = (uint64_t)(x.sequences * x.H * x.dk * x.dv) * 4;
  return r;
}

/* Nothing to compute and nothing to hand on. */
bool idle(const Problem &x, const Part &part) { return part.tokens == 0 && x.final_state == nullptr; }

/* Device memory of a part in flight. */
struct Slot {
  Block q, k, v, o, decay, lengths;
  Load out;
  CUevent computed; /* recorded behind its kernels */
  bool taken;
};

class Stage {
 public:
  Stage(leet_params *p, Device *device, const Problem &x, int64_t parts, const Room &room);
  ~Stage();
  Stage(const Stage &) = delete;
  Stage &operator=(const Stage &) = delete;
  leet_status run();

 private:
  leet_status prepare(Slot *slot);
  leet_status start(const Part &part, Slot *slot);
  leet_status copy_in(const Part &part, const Problem &x, Slot *slot, Problem *on_device);
  const int64_t *own_lengths(const Part &part);
  void *hold(uint64_t bytes);

  leet_params *p_;
  Device *device_;
  const Problem &x_;
  const Driver &driver_;
  const bool alone_; /* one part */
  const Room room_;
  CUstream streams_[3]; /* inward, kernels, outward. Blocks are of the first: what earlier parts gave back of their
                           workspace is still in use by the second */
  Slot slots_[2];
  Block states_[2]; /* of a row and head range; the next one takes the other */
  int64_t ranges_;  /* row and head ranges begun */
  Inward in_;
  Outward out_;
  int64_t *lengths_;  /* cu_seqlens of a part, from 0 */
  float *held_state_; /* the final state until all is there, where it does not come in one go */
  bool done_;
};

Stage::Stage(leet_params *p, Device *device, const Problem &x, int64_t parts, const Room &room)
    : p_(p),
      device_(device),
      x_(x),
      driver_(*device->driver),
      alone_(parts == 1),
      room_(room),
      streams_{alone_ ? device->stream : device->inward, device->stream, alone_ ? device->stream : device->outward},
      slots_(),
      ranges_(0),
      in_(p, device, streams_[0]),
      out_(p, device, streams_[2]),
      lengths_(nullptr),
      held_state_(nullptr),
      done_(false) {}

Stage::~Stage() {
  if (!done_) { /* what is still queued uses the pieces and the blocks */
    for (CUstream stream : streams_) driver_.cuStreamSynchronize(stream);
  }
  for (const Slot &slot : slots_) {
    if (slot.computed) driver_.cuEventDestroy_v2(slot.computed);
  }
  release(lengths_);
  release(held_state_);
}

void *Stage::hold(uint64_t bytes) {
  void *memory = allocate(bytes);
  if (memory == nullptr) {
    refuse(p_, LEET_OUT_OF_MEMORY, "no memory for %llu bytes beside the device", (unsigned long long)bytes);
  }
  return memory;
}

leet_status Stage::prepare(Slot *slot) {
  if (slot->taken) return LEET_OK;
  const struct {
    Block *block;
    uint64_t bytes;
    const char *what;
  } blocks[] = {{&slot->q, room_.q, "memory for q"},
                {&slot->k, room_.k, "memory for k"},
                {&slot->v, room_.v, "memory for v"},
                {&slot->o, room_.o, "memory for o"},
                {&slot->decay, room_.decay, "memory for the decay"},
                {&slot->lengths, room_.lengths, "memory for cu_seqlens"}};
  for (const auto &b : blocks) {
    const leet_status status = b.block->take(p_, device_, streams_[0], b.bytes, b.what);
    if (status != LEET_OK) return status;
  }
  slot->taken = true;
  if (alone_) return LEET_OK;
  LEET_TRY_DRIVER(p_, driver_, "preparing copies", cuEventCreate, &slot->computed, kEventDisableTiming);
  return LEET_OK;
}

/* cu_seqlens of the part's sequences, from 0. */
const int64_t *Stage::own_lengths(const Part &part) {
  for (int64_t s = 0; s <= part.rows; s++) lengths_[s] = x_.cu_seqlens[part.row + s] - part.token;
  return lengths_;
}

/* Queues the copies of a part; *device_x is the part with device addresses. */
leet_status Stage::copy_in(const Part &part, const Problem &x, Slot *slot, Problem *device_x) {
  const int bytes = dtype_bytes(x.dtype);
  Problem &d = *device_x;
  d = x;
  d.on_device = true;
  d.q_data = (const void *)slot->q.address();
  d.k_data = (const void *)slot->k.address();
  d.v_data = (const void *)slot->v.address();
  d.o_data = (void *)slot->o.address();
  Load in;
  in.clear();
  in.add(packed_view(x.q_data, x.q, x.B, x.H, x.N, x.dk, bytes, &d.q), slot->q.address(), "copying q to the device");
  in.add(packed_view(x.k_data, x.k, x.B, x.Hkv, x.N, x.dk, bytes, &d.k), slot->k.address(), "copying k to the device");
  in.add(packed_view(x.v_data, x.v, x.B, x.Hkv, x.N, x.dv, bytes, &d.v), slot->v.address(), "copying v to the device");
  if (x.decay_form == LEET_DECAY_LOG_GATES) {
    in.add(packed_view(x.decay, x.gates, x.B, x.H, x.N, 1, 4, &d.gates), slot->decay.address(),
           "copying log_gates to the device");
  } else if (x.decay_form != LEET_DECAY_NONE) {
    in.add(flat_view(x.decay, (uint64_t)x.H * 4), slot->decay.address(), "copying decay to the device");
  }
  if (x.decay_form != LEET_DECAY_NONE) d.decay = (const float *)slot->decay.address();
  if (x.cu_seqlens) {
    in.add(flat_view(x.cu_seqlens, (uint64_t)(x.sequences + 1) * 8), slot->lengths.address(),
           "copying cu_seqlens to the device");
  }
  /* Every kernel reads a state before it writes the same place, so one block is both. */
  const bool carried = !part.first, carries = !part.last;
  if (part.first) ranges_++;
  Block &state = states_[ranges_ % 2];
  if (state.address() == 0 && (x.initial_state || x.final_state || carries)) {
    const leet_status status = state.take(p_, device_, streams_[0], room_.state, "memory for the state");
    if (status != LEET_OK) return status;
  }
  if (part.first && x.initial_state) {
    in.add(flat_view(x.initial_state, room_of(x, false).state), state.address(), "copying initial_state to the device");
  }
  d.initial_state = x.initial_state || carried ? (const float *)state.address() : nullptr;
  d.final_state = x.final_state || carries ? (float *)state.address() : nullptr;
  return in_.send(in);
}

/* Queues a part: to the device, its kernels, to the host as far as there are pieces. */
leet_status Stage::start(const Part &part, Slot *slot) {
  Problem x = part_of(x_, part), device_x;
  if (is_ragged(x_, part)) x.cu_seqlens = own_lengths(part);
  leet_status status = prepare(slot);
  if (status == LEET_OK) status = copy_in(part, x, slot, &device_x);
  if (status != LEET_OK) return status;

  slot->out.clear();
  const View o = packed_view(x.o_data, x.o, x.B, x.H, x.N, x.dv, dtype_bytes(x.dtype), &device_x.o);
  slot->out.add(o, slot->o.address(), "copying o to the host");
  if (part.last && x.final_state) {
    const void *to = held_state_ ? held_state_ + (x.final_state - x_.final_state) : x.final_state;
    slot->out.add(flat_view(to, room_of(x, false).state), (CUdeviceptr)device_x.final_state,
                  "copying final_state to the host");
  }

  if (!alone_ && in_.sent()) {
    LEET_TRY_DRIVER(p_, driver_, "waiting for the copies", cuStreamWaitEvent, device_->stream, in_.sent(), 0);
  }
  const int64_t *lengths = x.cu_seqlens ? (const int64_t *)slot->lengths.address() : nullptr;
  status = queue_on_device(p_, device_, device_->stream, device_x, lengths);
  if (status != LEET_OK) return status;
  if (!alone_) {
    LEET_TRY_DRIVER(p_, driver_, "running the kernels", cuEventRecord, slot->computed, device_->stream);
    slot->out.ready = slot->computed;
  }
  return out_.queue(&slot->out);
}

leet_status Stage::run() {
  const uint64_t state_bytes = x_.final_state ? room_of(x_, false).state : 0;
  if (x_.cu_seqlens) {
    lengths_ = (int64_t *)hold((uint64_t)(x_.sequences + 1) * 8);
    if (lengths_ == nullptr) return LEET_OUT_OF_MEMORY;
  }
  if (state_bytes > 0 && (!alone_ || room_.o + state_bytes > kRing * piece_bytes())) {
    held_state_ = (float *)hold(state_bytes);
    if (held_state_ == nullptr) return LEET_OUT_OF_MEMORY;
  }
  Parts parts(x_);
  Part part;
  Slot *before = nullptr;
  for (int64_t i = 0; parts.next(&part);) {
    if (idle(x_, part)) continue;
    Slot *slot = &slots_[i++ % 2];
    leet_status status = start(part, slot);
    if (status == LEET_OK && before) {
      status = out_.land(&before->out);
      if (status == LEET_OK) status = out_.queue(&slot->out);
    }
    if (status != LEET_OK) return status;
    before = slot;
  }
  const leet_status status = before ? out_.land(&before->out) : (leet_status)LEET_OK;
  if (status != LEET_OK) return status;
  done_ = true;
  if (held_state_) memcpy(x_.final_state, held_state_, state_bytes);
  return LEET_OK;
}

uint64_t pieces_for(uint64_t bytes) {
  const uint64_t pieces = (bytes + piece_bytes() - 1) / piece_bytes();
  return (pieces < kRing ? pieces : kRing) * piece_bytes();
}

}  // namespace

leet_status run_staged(leet_params *p, Device *device, const Problem &x) {
  Parts parts(x);
  Part part;
  Room room = {};
  int64_t count = 0;
  while (parts.next(&part)) {
    if (idle(x, part)) continue;
    room.include(room_of(part_of(x, part), is_ragged(x, part)));
    count++;
  }
  Stage stage(p, device, x, count, room);
  return stage.run();
}

double staged_bytes(const Problem &x, const Device &device) {
  Parts parts(x);
  Part part, another;
  if (!parts.next(&part)) return 0;
  const bool alone = !parts.next(&another);
  const Problem largest = part_of(x, part);
  const Room room = room_of(largest, is_ragged(x, part));
  const Sizes work = sizes_of(largest, device);
  const double slots = alone ? 1 : 2, in = (double)(room.sum() - room.o), out = (double)(room.o + room.state);
  const double held = alone ? 0 : (double)room_of(x, false).state;
  return slots * (double)room.sum() + (double)(work.states + work.totals + work.reach + work.outputs) +
         (double)pieces_for(in) + (double)pieces_for(out) + held;
}

}  // namespace gpu
}  // namespace leet
