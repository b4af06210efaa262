#include "copies.h"

#include <string.h>

namespace leet {
namespace gpu {

namespace {

/* Calls copy(offset in the caller's array, offset from `from`, bytes) for each run of bytes [from, to) of the copy. */
template <class Copy>
void for_runs(const View &v, uint64_t from, uint64_t to, const Copy &copy) {
  if (from == to) return;
  const int64_t index = (int64_t)from / v.run;
  int64_t within = (int64_t)from % v.run, i2 = index % v.count[2], i1 = index / v.count[2] % v.count[1],
          i0 = index / v.count[2] / v.count[1];
  for (int64_t done = 0, all = (int64_t)(to - from); done < all;) {
    const int64_t left = v.run - within, bytes = left < all - done ? left : all - done;
    copy(i0 * v.stride[0] + i1 * v.stride[1] + i2 * v.stride[2] + within, done, (size_t)bytes);
    done += bytes;
    within = 0;
    if (++i2 < v.count[2]) continue;
    i2 = 0;
    if (++i1 < v.count[1]) continue;
    i1 = 0;
    i0++;
  }
}

/* Calls body(line, from, to, offset) for what bytes [begin, end) of the load hold of each line; offset is from begin.
 */
template <class Body>
leet_status for_lines(const Load &load, uint64_t begin, uint64_t end, const Body &body) {
  uint64_t first = 0; /* of the line in the load */
  for (int i = 0; i < load.count; i++) {
    const uint64_t last = first + load.lines[i].host.bytes;
    const uint64_t from = begin > first ? begin : first, to = end < last ? end : last;
    if (from < to) {
      const leet_status status = body(load.lines[i], from - first, to - first, from - begin);
      if (status != LEET_OK) return status;
    }
    first = last;
  }
  return LEET_OK;
}

uint64_t piece_end(const Load &load, uint64_t begin) {
  return load.bytes - begin < piece_bytes() ? load.bytes : begin + piece_bytes();
}

}  // namespace

View packed_view(const void *data, const Strides &strides, int64_t batch, int64_t heads, int64_t tokens, int64_t dim,
                 int element_bytes, Strides *device) {
  struct Axis {
    int64_t count, stride, *step;
  } axes[3] = {{batch, strides.batch, &device->batch},
               {heads, strides.head, &device->head},
               {tokens, strides.time, &device->time}};
  for (Axis &a : axes) {
    if (a.count <= 1) a.stride = INT64_MAX; /* never walked along: outermost, so that it breaks no run */
  }
  for (int i = 1; i < 3; i++) {
    for (int j = i; j > 0 && axes[j].stride > axes[j - 1].stride; j--) {
      const Axis swap = axes[j];
      axes[j] = axes[j - 1];
      axes[j - 1] = swap;
    }
  }
  View v = {(char *)data, {1, 1, 1}, {0, 0, 0}, dim * element_bytes, 0};
  int64_t step = dim;
  int open = 2; /* axes [0, open] are not part of the run */
  for (int i = 2; i >= 0; i--) {
    const Axis &a = axes[i];
    *a.step = step;
    step *= a.count;
    if (open == i && (a.count <= 1 || a.stride * element_bytes == v.run)) {
      v.run *= a.count;
      open--;
    } else {
      v.count[i] = a.count;
      v.stride[i] = a.count <= 1 ? 0 : a.stride * element_bytes;
    }
  }
  v.bytes = (uint64_t)(step * element_bytes);
  return v;
}

View flat_view(const void *data, uint64_t bytes) { return {(char *)data, {1, 1, 1}, {0, 0, 0}, (int64_t)bytes, bytes}; }

void gather(const View &view, uint64_t from, uint64_t to, char *packed) {
  for_runs(view, from, to,
           [&](int64_t at, int64_t done, size_t bytes) { memcpy(packed + done, view.data + at, bytes); });
}

void scatter(const View &view, uint64_t from, uint64_t to, const char *packed) {
  for_runs(view, from, to,
           [&](int64_t at, int64_t done, size_t bytes) { memcpy(view.data + at, packed + done, bytes); });
}

void Load::clear() {
  count = 0;
  bytes = queued = landed = 0;
  ready = nullptr;
}

void Load::add(const View &host, CUdeviceptr device, const char *what) {
  if (host.bytes == 0) return;
  lines[count++] = {host, device, what};
  bytes += host.bytes;
}

Inward::~Inward() {
  for (int i = 0; i < count_; i++) give_piece(ring_[i]);
}

leet_status Inward::next_piece(Piece **piece) {
  if (count_ < kRing) {
    const leet_status status = take_piece(p_, device_, &ring_[count_]);
    if (status != LEET_OK) return status;
    *piece = ring_[count_++];
    return LEET_OK;
  }
  *piece = ring_[next_];
  next_ = (next_ + 1) % kRing;
  LEET_TRY_DRIVER(p_, *device_->driver, "copying to the device", cuEventSynchronize, (*piece)->reached);
  return LEET_OK;
}

leet_status Inward::send(const Load &load) {
  const Driver &driver = *device_->driver;
  for (uint64_t begin = 0; begin < load.bytes;) {
    const uint64_t end = piece_end(load, begin);
    Piece *piece = nullptr;
    leet_status status = next_piece(&piece);
    if (status != LEET_OK) return status;
    status = for_lines(load, begin, end, [&](const Load::Line &line, uint64_t from, uint64_t to, uint64_t offset) {
      gather(line.host, from, to, piece->memory + offset);
      LEET_TRY_DRIVER(p_, driver, line.what, cuMemcpyHtoDAsync_v2, line.device + from, piece->memory + offset,
                      to - from, stream_);
      return (leet_status)LEET_OK;
    });
    if (status != LEET_OK) return status;
    LEET_TRY_DRIVER(p_, driver, "copying to the device", cuEventRecord, piece->reached, stream_);
    last_ = piece;
    begin = end;
  }
  return LEET_OK;
}

Outward::~Outward() {
  for (int i = 0; i < held_; i++) give_piece(ring_[i]);
}

leet_status Outward::queue(Load *load) {
  const Driver &driver = *device_->driver;
  while (load->queued < load->bytes && flying_ < kRing) {
    const int at = (first_ + flying_) % kRing;
    if (at == held_) {
      const leet_status status = take_piece(p_, device_, &ring_[held_]);
      if (status != LEET_OK) return status;
      held_++;
    }
    if (load->queued == 0 && load->ready) {
      LEET_TRY_DRIVER(p_, driver, "waiting for the kernels", cuStreamWaitEvent, stream_, load->ready, 0);
    }
    const Piece &piece = *ring_[at];
    const uint64_t end = piece_end(*load, load->queued);
    const leet_status status =
        for_lines(*load, load->queued, end, [&](const Load::Line &line, uint64_t from, uint64_t to, uint64_t offset) {
          LEET_TRY_DRIVER(p_, driver, line.what, cuMemcpyDtoHAsync_v2, piece.memory + offset, line.device + from,
                          to - from, stream_);
          return (leet_status)LEET_OK;
        });
    if (status != LEET_OK) return status;
    LEET_TRY_DRIVER(p_, driver, "copying to the host", cuEventRecord, piece.reached, stream_);
    load->queued = end;
    flying_++;
  }
  return LEET_OK;
}

leet_status Outward::land(Load *load) {
  const Driver &driver = *device_->driver;
  uint64_t arrived = 0;
  while (load->landed < load->bytes) {
    const leet_status status = queue(load);
    if (status != LEET_OK) return status;
    const uint64_t end = piece_end(*load, load->landed);
    if (end > arrived) {
      /* The newest where that is the last: events of a stream come in order. */
      const bool all = load->queued == load->bytes;
      const int left = (int)((load->bytes - load->landed + piece_bytes() - 1) / piece_bytes());
      const Piece &awaited = *ring_[all ? (first_ + left - 1) % kRing : first_];
      LEET_TRY_DRIVER(p_, driver, "running the kernels and copying to the host", cuEventSynchronize, awaited.reached);
      arrived = all ? load->bytes : end;
    }
    const char *memory = ring_[first_]->memory;
    for_lines(*load, load->landed, end, [&](const Load::Line &line, uint64_t from, uint64_t to, uint64_t offset) {
      scatter(line.host, from, to, memory + offset);
      return (leet_status)LEET_OK;
    });
    load->landed = end;
    first_ = (first_ + 1) % kRing;
    flying_--;
  }
  return LEET_OK;
}

}  // namespace gpu
}  // namespace leet
