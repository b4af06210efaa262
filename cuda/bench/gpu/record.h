/* Facts as lines of text, "kind<TAB>key=text<TAB>key:=number": the programs of scripts/gpu-check append them, the
 * report is made of them. A program that dies leaves the lines it wrote. */
#ifndef GPU_CHECK_RECORD_H
#define GPU_CHECK_RECORD_H

#include <string>
#include <vector>

namespace gpu_check {

/* One line, written to the file of set_records when it goes out of scope. */
class Record {
 public:
  explicit Record(const char *kind) : line_(kind) {}
  ~Record();
  Record(const Record &) = delete;
  Record &operator=(const Record &) = delete;
  Record &text(const char *key, const std::string &value);
  /* Six digits; nothing is written for what is not a finite number. */
  Record &number(const char *key, double value);
  Record &count(const char *key, long long value);

 private:
  Record &field(const std::string &start, const std::string &value);

  std::string line_;
};

/* The file that records are appended to from now on. */
void set_records(const std::string &path);

struct Field {
  std::string key, value;
  bool number;
};

struct Line {
  std::string kind;
  std::vector<Field> fields;
  /* "" when there is no such field. */
  const std::string &get(const std::string &key) const;
  /* `otherwise` when there is no such field or it is no number. */
  double number(const std::string &key, double otherwise = 0) const;
};

/* Every line of the file, none when it cannot be read. */
std::vector<Line> read_records(const std::string &path);

}  // namespace gpu_check
#endif
