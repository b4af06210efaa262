#include "pieces.h"

#include <pthread.h>

#include "../alloc.h"
#include "../check.h"
#include "parts.h"

namespace leet {
namespace gpu {

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
Piece *kept;                                       /* pinned pieces that no call holds */

Piece *take_kept(const Device *device) {
  Piece *found = nullptr;
  pthread_mutex_lock(&mutex);
  for (Piece **link = &kept; *link; link = &(*link)->next) {
    if ((*link)->device != device) continue;
    found = *link;
    *link = found->next;
    break;
  }
  pthread_mutex_unlock(&mutex);
  return found;
}

void keep(Piece *piece) {
  pthread_mutex_lock(&mutex);
  piece->next = kept;
  kept = piece;
  pthread_mutex_unlock(&mutex);
}

/* Frees what it can. A piece that the driver would not free is kept, so that a later try can. */
void free_piece(Piece *piece) {
  const Driver &driver = *piece->device->driver;
  const Current current(*piece->device);
  leet_params unheard = {};
  if (current.status(&unheard) == LEET_OK) {
    if (piece->reached && driver.cuEventDestroy_v2(piece->reached) == 0) piece->reached = nullptr;
    if (piece->pinned && piece->reached == nullptr && driver.cuMemFreeHost(piece->memory) == 0) {
      piece->memory = nullptr;
    }
  }
  if (!piece->pinned && piece->reached == nullptr) {
    release(piece->memory);
    piece->memory = nullptr;
  }
  if (piece->memory) {
    keep(piece);
  } else {
    release(piece);
  }
}

/* Memory for a new piece, pinned where the system still lets. */
bool find_memory(Piece *piece) {
  const Driver &driver = *piece->device->driver;
  const uint64_t bytes = piece_bytes();
  CUresult code = driver.cuMemHostAlloc((void **)&piece->memory, bytes, 0);
  if (code != 0 && pieces_kept() > 0) { /* of other devices */
    pieces_release_kept();
    code = driver.cuMemHostAlloc((void **)&piece->memory, bytes, 0);
  }
  piece->pinned = code == 0;
  if (code != 0) piece->memory = (char *)allocate(bytes);
  return piece->memory != nullptr;
}

}  // namespace

uint64_t piece_bytes() { return part_bytes() / 8; }

leet_status take_piece(leet_params *p, Device *device, Piece **out) {
  Piece *piece = take_kept(device);
  if (piece == nullptr) {
    piece = (Piece *)allocate(sizeof(Piece));
    if (piece != nullptr) {
      *piece = {nullptr, device, nullptr, nullptr, false};
      if (!find_memory(piece)) {
        release(piece);
        piece = nullptr;
      }
    }
    if (piece == nullptr) {
      return refuse(p, LEET_OUT_OF_MEMORY, "no memory for %llu bytes beside the device",
                    (unsigned long long)piece_bytes());
    }
  }
  const Driver &driver = *device->driver;
  const CUresult code = piece->reached ? 0 : driver.cuEventCreate(&piece->reached, kEventDisableTiming);
  if (code != 0) {
    give_piece(piece);
    return driver_failed(p, driver, code, "cuEventCreate", "preparing copies");
  }
  *out = piece;
  return LEET_OK;
}

void give_piece(Piece *piece) {
  if (piece->pinned) {
    keep(piece);
  } else {
    free_piece(piece);
  }
}

uint64_t pieces_kept() {
  uint64_t bytes = 0;
  pthread_mutex_lock(&mutex);
  for (const Piece *piece = kept; piece; piece = piece->next) bytes += piece_bytes();
  pthread_mutex_unlock(&mutex);
  return bytes;
}

void pieces_release_kept() {
  pthread_mutex_lock(&mutex);
  Piece *list = kept;
  kept = nullptr;
  pthread_mutex_unlock(&mutex);
  while (list) {
    Piece *next = list->next;
    free_piece(list);
    list = next;
  }
}

}  // namespace gpu
}  // namespace leet
