#include "cases.h"

#include "../../include/leet.h"

namespace gpu_check {

const char *const kKindNames[3] = {"prefill", "decode", "host"};
const char *const kDecayNames[3] = {"retnet", "lightning", "gates"};
const char *const kTypeNames[3] = {"f32", "f16", "bf16"};

namespace {

/* Powers of two and the lengths of LeetDecoding's own benchmark. */
const std::vector<int64_t> kLengths = {128,   256,   512,   1024,  2048,  4096,  8192,
                                       12800, 16384, 25600, 32768, 65536, 100000};
const std::vector<int64_t> kFewLengths = {512, 2048, 8192, 65536, 100000};
const std::vector<int64_t> kBatches = {1, 4, 16};
const std::vector<int> kTypes = {LEET_BF16, LEET_F16, LEET_F32};
const std::vector<int> kOthers = {LEET_METHOD_RECURRENT, LEET_METHOD_LIGHTNING, LEET_METHOD_BLOCK,
                                  LEET_METHOD_FLEET,     LEET_METHOD_RECURSION, LEET_METHOD_VANILLA};

/* Heads of a width: 2048 columns at d = 64, as small models have, and 4096 at d = 128. */
struct Width {
  int64_t H, d;
};
const std::vector<Width> kWidths = {{32, 128}, {16, 64}};

class List {
 public:
  explicit List(const std::string &methods) : methods_("," + methods + ",") {}

  void add(const Case &c) {
    if (methods_ != ",all," && methods_.find("," + method_name(c.method) + ",") == std::string::npos) return;
    cases.push_back(c);
  }
  void prefill(int method, int dtype, Decays decays, int64_t B, const Width &w, const std::vector<int64_t> &lengths) {
    for (const int64_t N : lengths) add({kPrefill, method, dtype, decays, B, w.H, N, w.d});
  }
  void decode(int dtype, const Width &w, int64_t most) {
    for (int64_t B = 1; B <= most; B *= 2) add({kDecode, LEET_METHOD_FLASH, dtype, kRetnet, B, w.H, 1, w.d});
  }
  void host(int dtype, const Width &w, const std::vector<int64_t> &lengths) {
    for (const int64_t N : lengths) add({kHost, LEET_METHOD_FLASH, dtype, kRetnet, 1, w.H, N, w.d});
  }

  std::vector<Case> cases;

 private:
  std::string methods_;
};

void tiny(List *list) {
  const Width width = {2, 16};
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    list->prefill(method, LEET_BF16, kRetnet, 1, width, {65});
    list->prefill(method, LEET_F32, kGates, 1, width, {65});
  }
  list->decode(LEET_BF16, width, 2);
  list->host(LEET_F32, width, {65});
}

void quick(List *list) {
  const Width &wide = kWidths[0];
  list->prefill(LEET_METHOD_FLASH, LEET_BF16, kRetnet, 1, wide, kLengths);
  list->decode(LEET_BF16, wide, 256);
  list->prefill(LEET_METHOD_FLASH, LEET_F32, kRetnet, 1, wide, kLengths);
  list->prefill(LEET_METHOD_FLASH, LEET_F16, kRetnet, 1, wide, kLengths);
  for (const int dtype : {LEET_BF16, LEET_F32}) {
    for (const int method : kOthers) list->prefill(method, dtype, kRetnet, 1, wide, kFewLengths);
  }
  for (const int dtype : {LEET_BF16, LEET_F32}) {
    list->prefill(LEET_METHOD_FLASH, dtype, kGates, 1, wide, {2048, 8192, 65536});
    list->prefill(LEET_METHOD_FLASH, dtype, kLightning, 1, wide, {2048, 8192, 65536});
  }
  for (const int method : kOthers) list->prefill(method, LEET_BF16, kGates, 1, wide, {8192});
  list->host(LEET_BF16, wide, {2048, 8192, 65536});
  list->host(LEET_F32, wide, {8192});
  for (const int64_t B : {(int64_t)4, (int64_t)16}) {
    for (const int dtype : kTypes) list->prefill(LEET_METHOD_FLASH, dtype, kRetnet, B, wide, kLengths);
  }
  for (const int64_t B : kBatches) {
    for (const int dtype : kTypes) list->prefill(LEET_METHOD_FLASH, dtype, kRetnet, B, kWidths[1], kLengths);
  }
  list->decode(LEET_F32, wide, 256);
  list->decode(LEET_F16, wide, 256);
  for (const int dtype : kTypes) list->decode(dtype, kWidths[1], 256);
}

void full(List *list) {
  quick(list);
  for (const Width &width : kWidths) {
    for (const int64_t B : kBatches) {
      for (const int dtype : kTypes) {
        for (const int method : kOthers) {
          list->prefill(method, dtype, kRetnet, B, width, kLengths);
          list->prefill(method, dtype, kGates, B, width, {2048, 8192, 65536});
        }
        list->prefill(LEET_METHOD_FLASH, dtype, kGates, B, width, kLengths);
      }
    }
  }
}

bool same(const Case &a, const Case &b) {
  return a.kind == b.kind && a.method == b.method && a.dtype == b.dtype && a.decays == b.decays && a.B == b.B &&
         a.H == b.H && a.N == b.N && a.d == b.d;
}

}  // namespace

std::string method_name(int method) {
  for (int i = 0;; i++) {
    leet_method_info info = {};
    info.struct_size = sizeof info;
    if (leet_method_get(i, &info) != LEET_OK) return "method " + std::to_string(method);
    if (info.method == method) return info.name;
  }
}

std::vector<Case> cases_of(const std::string &mode, const std::string &methods) {
  List list(methods);
  if (mode == "tiny") tiny(&list);
  if (mode == "quick") quick(&list);
  if (mode == "full") full(&list);
  std::vector<Case> cases;
  for (const Case &c : list.cases) {
    bool known = false;
    for (const Case &other : cases) known = known || same(c, other);
    if (!known) cases.push_back(c);
  }
  return cases;
}

std::string text_of(const Case &c) {
  return std::string(kKindNames[c.kind]) + " " + method_name(c.method) + " " + kTypeNames[c.dtype] + " " +
         kDecayNames[c.decays] + " B=" + std::to_string(c.B) + " H=" + std::to_string(c.H) +
         " N=" + std::to_string(c.N) + " d=" + std::to_string(c.d);
}

}  // namespace gpu_check
