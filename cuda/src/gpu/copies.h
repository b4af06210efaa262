/* The caller's arrays to the device and back, piece by piece. Nothing here waits for more than the piece it needs. */
#ifndef LEET_GPU_COPIES_H
#define LEET_GPU_COPIES_H

#include "../problem.h"
#include "pieces.h"

namespace leet {
namespace gpu {

/* An array of the caller as runs of contiguous bytes, in the order in which the device has them: outermost axis first.
 */
struct View {
  char *data;
  int64_t count[3], stride[3]; /* stride in bytes */
  int64_t run;                 /* bytes */
  uint64_t bytes;              /* all runs together */
};

/* A [batch,heads,tokens,dim] array without its gaps, its axes in the order of the strides, so that runs are long and
 * kernels meet the layout the caller has. `device` takes the strides of the copy. */
View packed_view(const void *data, const Strides &strides, int64_t batch, int64_t heads, int64_t tokens, int64_t dim,
                 int element_bytes, Strides *device);
View flat_view(const void *data, uint64_t bytes);

/* Bytes [from, to) of the copy, out of the caller's array and into it. */
void gather(const View &view, uint64_t from, uint64_t to, char *packed);
void scatter(const View &view, uint64_t from, uint64_t to, const char *packed);

/* What travels together, one array behind the other. */
struct Load {
  struct Line {
    View host;
    CUdeviceptr device;
    const char *what; /* for messages, such as "copying q to the device" */
  };
  static const int kMostLines = 6;
  Line lines[kMostLines];
  int count;
  uint64_t bytes;
  CUevent ready;           /* to wait for before the first copy to the host, or nullptr */
  uint64_t queued, landed; /* bytes on their way to the host, and in the caller's arrays */

  void clear();
  void add(const View &host, CUdeviceptr device, const char *what);
};

/* Pieces of each direction that a call uses in turn. */
const int kRing = 4;

/* Host to device. */
class Inward {
 public:
  Inward(leet_params *p, Device *device, CUstream stream)
      : p_(p), device_(device), stream_(stream), count_(0), next_(0), last_(nullptr) {}
  ~Inward();
  Inward(const Inward &) = delete;
  Inward &operator=(const Inward &) = delete;
  /* Queues the copies. The caller's arrays have been read on return. */
  leet_status send(const Load &load);
  /* The event behind all that was sent, nullptr before. */
  CUevent sent() const { return last_ ? last_->reached : nullptr; }

 private:
  leet_status next_piece(Piece **piece);

  leet_params *p_;
  Device *device_;
  CUstream stream_;
  Piece *ring_[kRing];
  int count_, next_;
  Piece *last_;
};

/* Device to host. Loads land in the order in which they were queued. */
class Outward {
 public:
  Outward(leet_params *p, Device *device, CUstream stream)
      : p_(p), device_(device), stream_(stream), held_(0), first_(0), flying_(0) {}
  ~Outward();
  Outward(const Outward &) = delete;
  Outward &operator=(const Outward &) = delete;
  /* Queues the copies for which there are pieces. */
  leet_status queue(Load *load);
  /* Queues the rest, waits and writes the caller's arrays: none of them before all of the load has arrived, if it fits
   * into the ring. */
  leet_status land(Load *load);

 private:
  leet_params *p_;
  Device *device_;
  CUstream stream_;
  Piece *ring_[kRing];
  int held_;           /* pieces in ring_ */
  int first_, flying_; /* the oldest piece on its way, and how many are */
};

}  // namespace gpu
}  // namespace leet
#endif
