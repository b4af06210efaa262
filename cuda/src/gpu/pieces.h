/* Page-locked host memory, through which host arrays travel: what the GPU copies by itself while the caller's thread
 * fills or empties the next piece. */
#ifndef LEET_GPU_PIECES_H
#define LEET_GPU_PIECES_H

#include "device.h"

namespace leet {
namespace gpu {

struct Piece {
  Piece *next;
  Device *device;
  char *memory;    /* piece_bytes() */
  CUevent reached; /* recorded behind the last copy out of or into it */
  bool pinned;     /* false: ordinary memory, because the system had no more that it could lock */
};

/* An eighth of part_bytes(). */
uint64_t piece_bytes();

/* A piece that no call holds, or a new one. Page-locked memory is a scarce resource that a call must not fail for:
 * without it the piece is ordinary memory, and the driver's copies are slower and not side by side with anything. The
 * device's context is current. */
leet_status take_piece(leet_params *p, Device *device, Piece **piece);

/* Keeps it for the next call. Nothing that was queued uses it any more. */
void give_piece(Piece *piece);

/* Bytes of pieces that no call holds, all devices together, and giving them back. */
uint64_t pieces_kept();
void pieces_release_kept();

}  // namespace gpu
}  // namespace leet
#endif
