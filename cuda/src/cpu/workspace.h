/* Scratch memory that outlives a call, so that repeated calls of one shape allocate nothing. */
#ifndef LEET_CPU_WORKSPACE_H
#define LEET_CPU_WORKSPACE_H

#include <stddef.h>
#include <stdint.h>

namespace leet {

/* Borrows `bytes` of scratch for its lifetime; data() is nullptr when memory ran out. */
class Scratch {
 public:
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  void *data() const;

 private:
  struct Block *block_;
};

/* Bytes kept for later calls, and giving them back. Blocks in use are not counted and stay. */
uint64_t workspace_kept();
void workspace_release_kept();

}  // namespace leet
#endif
