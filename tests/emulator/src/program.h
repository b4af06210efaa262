// A kernel ready to run: pre-decoded instructions and the layout of everything they refer to.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base.h"
#include "pattern.h"

namespace leetemu {

struct Warp;
struct Ins;
using Handler = void (*)(Warp &, const Ins &, u32 mask);

// Where the lanes of an operand lie: bytes from the start of the register file, or, with CONSTANT set, of the
// constants.
using Ref = u32;
constexpr Ref CONSTANT = 0x80000000u;
constexpr Ref NO_REF = 0x7fffffffu;

enum class Flow : u8 {
  none,     // run the handler for the active lanes, go on
  branch,   // imm = target
  indexed,  // a = index, list = targets
  call,     // imm = target, d = return address register
  ret,      // a = return address register, or NO_REF: the lanes exit
  exit,
  trap,
  barrier,   // CTA barrier, aux = Barrier::Kind
  converge,  // the handler runs once the lanes of the member mask (b) are together
  together   // the same for all lanes of the warp that have not exited
};

enum class BarrierKind : u8 { sync, arrive, redPopc, redAnd, redOr };

struct Ins {
  Handler fn = nullptr;
  Ref d = NO_REF, a = NO_REF, b = NO_REF, c = NO_REF;
  Ref guard = NO_REF;  // predicate that switches lanes off
  u32 list = 0;        // first entry of a longer operand list in Kernel::lists
  i64 imm = 0;         // address offset, branch target, immediate
  u16 count = 0;       // entries of the list
  Flow flow = Flow::none;
  bool guardNegated = false;
  u8 size = 0;  // bytes of one memory element
  Space space = Space::generic;
  bool addr32 = false;  // the address register has 32 bits
  u8 aux = 0;           // meaning depends on the handler
  u32 line = 0;
  u32 name = 0;     // index into Kernel::opNames
  u32 pattern = 0;  // index into Kernel::patterns, if it has an address
};

// What one instruction has done so far, all launches together.
struct InsCount {
  u64 executed = 0;               // warps
  u64 sectors = 0, bytes = 0;     // global: 32-byte sectors touched, bytes asked for
  u64 wavefronts = 0, ideal = 0;  // shared: passes over the banks, and the least number of passes
};

// A special register that is filled when a warp starts.
struct SpecialInit {
  std::string name;
  Ref at;
};

struct Kernel {
  std::string name, moduleName;
  std::vector<Ins> code;
  u32 entry = 0;
  std::vector<u32> lists;
  std::vector<std::string> opNames;  // base opcode with the modifiers that counters distinguish
  std::vector<u64> constants;
  std::vector<SpecialInit> specials;
  u32 registerBytes = 0, registerCount = 0;
  u32 clearedBytes = 0;  // registers before this are filled when a warp starts
  u32 paramBytes = 0;
  struct Param {
    u32 at, bytes;
  };
  std::vector<Param> params;
  u32 sharedBytes = 0;   // static
  u32 sharedAlign = 16;  // of the dynamic part
  u32 localBytes = 0;    // per thread
  u32 maxThreads[3] = {0, 0, 0}, requiredThreads[3] = {0, 0, 0};
  u32 target = 0, version = 0;
  std::vector<InsCount> counts;
  std::vector<Pattern> patterns;              // of each instruction with an address
  std::shared_ptr<const std::string> source;  // PTX of the module
  u64 launches = 0, ctas = 0, barriers = 0;
};

}  // namespace leetemu
