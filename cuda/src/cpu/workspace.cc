#include "workspace.h"

#include <pthread.h>

#include "../alloc.h"

namespace leet {

struct Block {
  Block *next;
  size_t bytes;
  /* The scratch follows, 64-byte aligned. */
};

namespace {

const size_t kHeader = 64;
static_assert(sizeof(Block) <= kHeader, "the header must fit before the scratch");

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Block *kept; /* guarded by mutex */

/* The smallest kept block of at least `bytes`; without one, the largest smaller one is dropped so that growing
 * shapes do not pile up blocks nobody can use. */
Block *take(size_t bytes) {
  Block **best = nullptr, **small = nullptr;
  for (Block **link = &kept; *link; link = &(*link)->next) {
    if ((*link)->bytes >= bytes) {
      if (best == nullptr || (*link)->bytes < (*best)->bytes) best = link;
    } else if (small == nullptr || (*link)->bytes > (*small)->bytes) {
      small = link;
    }
  }
  if (best) {
    Block *block = *best;
    *best = block->next;
    return block;
  }
  if (small) {
    Block *block = *small;
    *small = block->next;
    release(block);
  }
  return nullptr;
}

}  // namespace

Scratch::Scratch(size_t bytes) {
  pthread_mutex_lock(&mutex);
  block_ = take(bytes);
  pthread_mutex_unlock(&mutex);
  if (block_ != nullptr) return;
  block_ = bytes <= SIZE_MAX - kHeader ? (Block *)allocate(bytes + kHeader) : nullptr;
  if (block_ != nullptr) block_->bytes = bytes;
}

Scratch::~Scratch() {
  if (block_ == nullptr) return;
  pthread_mutex_lock(&mutex);
  block_->next = kept;
  kept = block_;
  pthread_mutex_unlock(&mutex);
}

void *Scratch::data() const { return block_ ? (char *)block_ + kHeader : nullptr; }

uint64_t workspace_kept() {
  uint64_t bytes = 0;
  pthread_mutex_lock(&mutex);
  for (Block *b = kept; b; b = b->next) bytes += b->bytes;
  pthread_mutex_unlock(&mutex);
  return bytes;
}

void workspace_release_kept() {
  pthread_mutex_lock(&mutex);
  Block *list = kept;
  kept = nullptr;
  pthread_mutex_unlock(&mutex);
  while (list) {
    Block *next = list->next;
    release(list);
    list = next;
  }
}

}  // namespace leet
